# expect: denied pivot_root
"""Exchanges the root. Held by seccomp and the missing capability."""
from probe import reach

reach("pivot_root", b"/work", b"/work")
