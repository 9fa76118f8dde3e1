"""Chooses a child's process id by clone3. Held by seccomp: there is no clone3."""
import ctypes, errno, os
from probe import contained, escaped, syscall

SIGCHLD = 17
wanted = ctypes.c_int(77)
arguments = (ctypes.c_ulong * 11)(0, 0, 0, 0, SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1)
try:
    pid = syscall("clone3", arguments, 88)
except OSError as error:
    (contained if error.errno == errno.ENOSYS else escaped)(f"looked at: {error}")
if pid == 0:
    os._exit(0)
escaped(pid)
