# expect: denied pivot_root
"""Exchanges the root. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("pivot_root", b"/work", b"/work"))
