# expect: refused setresuid
"""Becomes the uid of the neighbouring slot."""
import os
from probe import attempt, syscall

other = os.getuid() + (1 if os.getuid() % 2 == 0 else -1)
attempt(lambda: syscall("setresuid", other, other, other))
