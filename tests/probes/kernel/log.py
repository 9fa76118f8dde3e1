# expect: refused syslog
"""Reads the kernel's log. Held by seccomp and the missing capability."""
import ctypes
from probe import attempt, syscall

SYSLOG_ACTION_READ_ALL = 3
buffer = ctypes.create_string_buffer(4096)
attempt(lambda: syscall("syslog", SYSLOG_ACTION_READ_ALL, buffer, 4096))
