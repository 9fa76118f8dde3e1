# expect: refused semctl
"""Reads a System V semaphore of the host. Held by seccomp, and behind it by the ipc namespace."""
from probe import attempt, bait, syscall

GETVAL = 12
attempt(lambda: syscall("semctl", int(bait("semaphore")), 0, GETVAL, 0))
