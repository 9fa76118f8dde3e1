"""Starts a child in a cgroup of its choice by clone3. Held by seccomp: there is no clone3."""
import ctypes, errno, os
from probe import contained, escaped, syscall

CLONE_INTO_CGROUP, SIGCHLD = 0x200000000, 17
arguments = (ctypes.c_ulong * 11)(CLONE_INTO_CGROUP, 0, 0, 0, SIGCHLD)
arguments[10] = os.open("/work", os.O_RDONLY)
try:
    escaped(syscall("clone3", arguments, 88))
except OSError as error:
    # EBADF: the kernel has looked at the folder and found that it is no cgroup.
    (contained if error.errno == errno.ENOSYS else escaped)(error)
