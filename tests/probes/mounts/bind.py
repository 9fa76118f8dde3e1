# expect: denied mount
"""Binds the root to a folder of its own, without the masks over it. Held by seccomp and the missing capability."""
from probe import attempt, syscall

MS_BIND = 4096
attempt(lambda: syscall("mount", b"/", b"/work", 0, MS_BIND, 0))
