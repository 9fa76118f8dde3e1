# expect: denied mount
"""Mounts the cgroups, in which it could raise its own limits. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("mount", b"pids", b"/work", b"cgroup", 0, b"pids"))
