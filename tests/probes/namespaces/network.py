# expect: denied unshare
"""Makes a network namespace. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

CLONE_NEWNET = 0x40000000
attempt(lambda: syscall("unshare", CLONE_NEWNET))
