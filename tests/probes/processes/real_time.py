# expect: refused sched_setscheduler
"""Changes its scheduler. Held by seccomp."""
import ctypes
from probe import attempt, syscall

SCHED_BATCH = 3
attempt(lambda: syscall("sched_setscheduler", 0, SCHED_BATCH, ctypes.c_int(0)))
