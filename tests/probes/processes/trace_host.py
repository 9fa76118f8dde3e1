# expect: denied ptrace
"""Attaches to a host process by ptrace. Held by seccomp, the pid namespace, the uid and Landlock."""
from probe import attempt, bait, syscall

PTRACE_SEIZE = 0x4206
attempt(lambda: syscall("ptrace", PTRACE_SEIZE, int(bait("pid")), 0, 0))
