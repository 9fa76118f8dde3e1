# expect: refused pidfd_getfd
"""Takes a descriptor from whoever has the other's process id."""
import os
from probe import attempt, syscall

attempt(lambda: syscall("pidfd_getfd", os.pidfd_open(os.getpid()), 0, 0))
