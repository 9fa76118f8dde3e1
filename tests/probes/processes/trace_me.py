# expect: denied ptrace
"""Offers itself to be traced by the cell's init. Held by seccomp."""
from probe import attempt, syscall

attempt(lambda: syscall("ptrace", 0, 0, 0, 0))
