# expect: refused modify_ldt
"""Reads its table of segments, old code that few look at. Held by seccomp."""
import ctypes
from probe import attempt, syscall

attempt(lambda: syscall("modify_ldt", 0, ctypes.create_string_buffer(64), 64))
