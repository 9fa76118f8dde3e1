# expect: denied swapon
"""Swaps to a file of its own. Held by seccomp and the missing capability."""
from probe import reach

reach("swapon", b"/work/main.py", 0)
