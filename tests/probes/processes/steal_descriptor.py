# expect: refused pidfd_getfd
"""Takes a descriptor out of another process. Held by seccomp."""
import os
from probe import attempt, syscall

attempt(lambda: syscall("pidfd_getfd", os.pidfd_open(os.getpid()), 1, 0))
