# expect: refused move_pages
"""Asks where pages lie in the machine. Held by seccomp."""
from probe import reach

reach("move_pages", 0, 0, 0, 0, 0, 0)
