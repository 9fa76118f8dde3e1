# expect: refused x32_getpid
"""Makes a harmless call by its x32 number. Held by seccomp, though the call itself is allowed."""
from probe import attempt, syscall

attempt(lambda: syscall(0x40000000 | 39))
