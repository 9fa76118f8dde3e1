# expect: denied mount
"""Mounts a tmpfs without a limit. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("mount", b"tmpfs", b"/work", b"tmpfs", 0, 0))
