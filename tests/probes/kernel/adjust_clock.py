# expect: refused adjtimex
"""Reads the state of the clock's discipline. Held by seccomp."""
import ctypes
from probe import attempt, syscall

attempt(lambda: syscall("adjtimex", ctypes.create_string_buffer(256)))
