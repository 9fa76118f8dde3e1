# expect: denied delete_module
"""Unloads a kernel module. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("delete_module", b"glovebox_no_such", 0))
