# expect: denied process_vm_readv
"""Reads a host process's memory by process_vm_readv. Held by seccomp, the pid namespace, the uid and Landlock."""
import ctypes
from probe import attempt, bait, syscall

length = int(bait("length"))
buffer = ctypes.create_string_buffer(length)
here = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), length)
there = (ctypes.c_ulong * 2)(int(bait("address")), length)
attempt(lambda: syscall("process_vm_readv", int(bait("pid")), here, 1, there, 1, 0), lambda _: buffer.raw)
