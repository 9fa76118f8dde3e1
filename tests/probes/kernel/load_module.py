# expect: denied init_module
"""Loads a kernel module. Held by seccomp and the missing capability."""
from probe import reach

reach("init_module", b"", 0, b"")
