# expect: denied init_module
"""Loads a kernel module. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("init_module", b"", 0, b""))
