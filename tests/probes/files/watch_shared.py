# expect: refused inotify_init1
"""Watches what other jobs and the host run. Held by seccomp: no namespace divides inotify on shared files."""
from probe import attempt, syscall

attempt(lambda: syscall("inotify_init1", 0))
