# expect: refused flock
"""Locks a file that all jobs share, which another could see or wait for. Held by seccomp."""
from probe import attempt, syscall

file = open("/usr/bin/env")
attempt(lambda: syscall("flock", file.fileno(), 2))
