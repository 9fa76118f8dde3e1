# expect: refused io_uring_enter
"""Enters a ring that somebody may have left. Held by seccomp."""
import errno
from probe import contained, escaped, syscall

try:
    syscall("io_uring_enter", 0, 0, 0, 0, 0, 0)
except OSError as error:
    (contained if error.errno == errno.ENOSYS else escaped)(error)
escaped("entered")
