# expect: denied ioperm
"""Asks for one I/O port. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("ioperm", 0x80, 1, 1))
