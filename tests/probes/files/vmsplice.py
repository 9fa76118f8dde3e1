# expect: refused vmsplice
"""Gives its own pages to a pipe by reference (CVE-2026-31431's family). Held by seccomp."""
import ctypes, os
from probe import attempt, syscall

page = ctypes.create_string_buffer(8)
vector = (ctypes.c_ulong * 2)(ctypes.addressof(page), 8)
attempt(lambda: syscall("vmsplice", os.pipe()[1], vector, 1, 0))
