# expect: denied unshare
"""Makes a user namespace, in which it would be root. Held by seccomp."""
from probe import attempt, syscall

CLONE_NEWUSER = 0x10000000
attempt(lambda: syscall("unshare", CLONE_NEWUSER))
