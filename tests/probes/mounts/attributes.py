# expect: denied mount_setattr
"""Takes read-only from a mount by the new interface. Held by seccomp, and behind it by the missing capability."""
import ctypes
from probe import attempt, syscall

MOUNT_ATTR_RDONLY = 1
attributes = (ctypes.c_ulong * 4)(0, MOUNT_ATTR_RDONLY)
attempt(lambda: syscall("mount_setattr", -100, b"/usr/bin", 0, attributes, 32))
