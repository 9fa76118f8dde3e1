# expect: denied delete_module
"""Unloads a kernel module. Held by seccomp and the missing capability."""
from probe import reach

reach("delete_module", b"glovebox_no_such", 0)
