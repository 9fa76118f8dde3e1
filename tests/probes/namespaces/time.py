# expect: denied unshare
"""Makes a time namespace. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

CLONE_NEWTIME = 0x80
attempt(lambda: syscall("unshare", CLONE_NEWTIME))
