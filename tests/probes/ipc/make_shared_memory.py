# expect: refused shmget
"""Makes a System V segment. Held by seccomp: it would outlive its maker."""
from probe import attempt, syscall

attempt(lambda: syscall("shmget", 0, 4096, 0o1600))
