# expect: refused capset
"""Sets its capabilities. Held by seccomp, and behind it by there being none to set."""
import ctypes
from probe import attempt, syscall

_LINUX_CAPABILITY_VERSION_3 = 0x20080522
attempt(lambda: syscall("capset", (ctypes.c_uint * 2)(_LINUX_CAPABILITY_VERSION_3, 0), (ctypes.c_uint * 6)()))
