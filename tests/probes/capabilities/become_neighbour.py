# expect: refused setresuid
"""Becomes the uid of another slot. Held by seccomp, and behind it by the missing capability."""
import os
from probe import attempt, syscall

other = os.getuid() + 1
attempt(lambda: syscall("setresuid", other, other, other))
