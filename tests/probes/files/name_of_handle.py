# expect: refused name_to_handle_at
"""Asks for a file's handle, the half of the way to opening by handle. Held by seccomp."""
import ctypes
from probe import attempt, syscall

handle = ctypes.create_string_buffer(bytes([128, 0, 0, 0]), 136)
attempt(lambda: syscall("name_to_handle_at", -100, b"/work", handle, ctypes.c_int(), 0))
