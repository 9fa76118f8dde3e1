# expect: refused shmat
"""Attaches a System V segment of the host. Held by seccomp, and behind it by the ipc namespace."""
from probe import attempt, bait, syscall

SHM_RDONLY = 0o10000
attempt(lambda: syscall("shmat", int(bait("shm")), 0, SHM_RDONLY))
