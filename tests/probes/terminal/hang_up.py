# expect: refused vhangup
"""Hangs up the terminal of whoever started it. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("vhangup"))
