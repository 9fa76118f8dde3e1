# expect: refused clone
"""Makes a user namespace by clone. Held by seccomp, by argument."""
import os
from probe import attempt, syscall

CLONE_NEWUSER, SIGCHLD = 0x10000000, 17
parent = os.getpid()


def clone():
    pid = syscall("clone", CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return pid


attempt(clone)
