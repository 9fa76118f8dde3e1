# expect: refused socketpair
"""Makes a pair of sockets of another family. Held by seccomp."""
import socket
from probe import attempt

attempt(lambda: socket.socketpair(socket.AF_INET))
