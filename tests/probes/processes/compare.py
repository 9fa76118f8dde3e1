# expect: refused kcmp
"""Compares kernel addresses of two processes. Held by seccomp."""
import os
from probe import attempt, syscall

attempt(lambda: syscall("kcmp", os.getpid(), os.getpid(), 1, 0, 0))
