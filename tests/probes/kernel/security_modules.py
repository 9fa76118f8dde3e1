# expect: refused lsm_list_modules
"""Asks which security modules the host runs. Held by seccomp."""
from probe import reach

reach("lsm_list_modules", 0, 0, 1)
