# expect: denied swapon
"""Swaps to a file of its own. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("swapon", b"/work/main.py", 0))
