# expect: refused setuid
"""Becomes root. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("setuid", 0))
