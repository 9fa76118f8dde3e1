# expect: denied process_vm_readv
"""Reads a child's memory by process_vm_readv. Held by seccomp: no use of it is ordinary."""
import ctypes, os, signal
from probe import attempt, syscall

buffer = ctypes.create_string_buffer(8)
vector = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 8)
child = os.fork()
if child == 0:
    signal.pause()
attempt(lambda: syscall("process_vm_readv", child, vector, 1, vector, 1, 0))
