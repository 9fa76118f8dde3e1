# expect: denied unshare
"""Makes a mount namespace. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

CLONE_NEWNS = 0x00020000
attempt(lambda: syscall("unshare", CLONE_NEWNS))
