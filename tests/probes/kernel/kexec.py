# expect: denied kexec_load
"""Loads another kernel. Held by seccomp and the missing capability."""
from probe import reach

reach("kexec_load", 0, 0, 0, 0)
