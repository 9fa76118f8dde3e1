# expect: denied setns
"""Joins all namespaces of the cell's init. Held by seccomp, the missing capability and the init, which cannot be looked at."""
import os
from probe import attempt, syscall

CLONE_NEWNET = 0x40000000
attempt(lambda: syscall("setns", os.pidfd_open(1), CLONE_NEWNET))
