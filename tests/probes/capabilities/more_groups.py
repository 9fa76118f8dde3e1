# expect: refused setgroups
"""Takes more groups. Held by seccomp, and behind it by the missing capability."""
import ctypes
from probe import attempt, syscall

attempt(lambda: syscall("setgroups", 1, ctypes.c_uint(4)))
