# expect: denied iopl
"""Asks for the machine's I/O ports. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("iopl", 3))
