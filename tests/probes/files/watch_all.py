# expect: refused fanotify_init
"""Watches whole file systems. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("fanotify_init", 0, 0))
