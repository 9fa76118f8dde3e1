# expect: refused splice
"""Puts pages of a shared file into a pipe (CVE-2022-0847). Held by seccomp."""
import ctypes, os
from probe import attempt, syscall

offset = ctypes.c_longlong(1)
attempt(lambda: syscall("splice", os.open("/usr/bin/env", os.O_RDONLY), offset, os.pipe()[1], 0, 1, 0))
