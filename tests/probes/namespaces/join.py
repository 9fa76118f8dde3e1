# expect: denied setns
"""Joins a namespace, if only its own. Held by seccomp, and behind it by the missing capability."""
import os
from probe import attempt, syscall

attempt(lambda: syscall("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), 0))
