# expect: denied process_vm_writev
"""Writes to a host process's memory by process_vm_writev. Held by seccomp, the pid namespace, the uid and Landlock."""
import ctypes
from probe import attempt, bait, syscall

buffer = ctypes.create_string_buffer(b"x", 1)
here = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 1)
there = (ctypes.c_ulong * 2)(int(bait("address")), 1)
attempt(lambda: syscall("process_vm_writev", int(bait("pid")), here, 1, there, 1, 0))
