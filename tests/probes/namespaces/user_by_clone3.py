"""Makes a user namespace by clone3, whose flags no filter can read. Held by seccomp: there is no clone3."""
import ctypes, os
from probe import attempt, syscall

CLONE_NEWUSER, SIGCHLD = 0x10000000, 17
arguments = (ctypes.c_ulong * 11)(CLONE_NEWUSER, 0, 0, 0, SIGCHLD)


def clone():
    pid = syscall("clone3", arguments, 88)
    if pid == 0:
        os._exit(0)
    return pid


attempt(clone)
