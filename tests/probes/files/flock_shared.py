# expect: refused flock
"""Locks a file that all jobs share, which another could see or wait for. Held by seccomp."""
from probe import attempt, syscall

attempt(lambda: syscall("flock", open("/usr/bin/env").fileno(), 2))
