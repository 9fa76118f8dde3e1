# expect: refused ioprio_set
"""Changes its priority at the disks. Held by seccomp."""
from probe import attempt, syscall

attempt(lambda: syscall("ioprio_set", 1, 0, 2 << 13 | 4))
