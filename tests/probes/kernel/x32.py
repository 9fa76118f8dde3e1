# expect: refused x32_syscall_521
"""Makes a call by its x32 number. Held by seccomp."""
from probe import attempt, syscall

attempt(lambda: syscall(0x40000000 | 521, 0, 0, 0, 0))
