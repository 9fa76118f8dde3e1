# expect: denied kexec_load
"""Loads another kernel. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("kexec_load", 0, 0, 0, 0))
