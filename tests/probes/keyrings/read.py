# expect: denied keyctl
"""Reads a key of the host whose owner lets everybody. Held by seccomp alone: no namespace divides keys."""
import ctypes
from probe import attempt, bait, syscall

KEYCTL_READ = 11
buffer = ctypes.create_string_buffer(256)
attempt(lambda: syscall("keyctl", KEYCTL_READ, int(bait("key")), buffer, 256, 0), lambda _: buffer.value)
