# expect: refused syncfs
"""Flushes the host's disks for one job. Held by seccomp."""
import os
from probe import attempt, syscall

attempt(lambda: syscall("syncfs", os.open("/work", os.O_RDONLY)))
