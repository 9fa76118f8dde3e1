# expect: refused fcntl
"""Has the kernel send its signals for it (F_SETOWN). Held by seccomp, by argument."""
import fcntl, os, socket
from probe import attempt

attempt(lambda: fcntl.fcntl(socket.socketpair()[0], fcntl.F_SETOWN, os.getppid()))
