# expect: denied mount
"""Makes a read-only mount writable. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

MS_REMOUNT, MS_BIND = 32, 4096
attempt(lambda: syscall("mount", 0, b"/usr/bin", 0, MS_REMOUNT | MS_BIND, 0))
