# expect: denied ptrace
"""Traces a process of its own, with which a filter can be gone round on old kernels. Held by seccomp."""
import os, signal
from probe import attempt, syscall

PTRACE_SEIZE = 0x4206
child = os.fork()
if child == 0:
    signal.pause()
attempt(lambda: syscall("ptrace", PTRACE_SEIZE, child, 0, 0))
