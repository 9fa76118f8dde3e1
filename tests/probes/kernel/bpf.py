# expect: denied bpf
"""Makes a BPF map. Held by seccomp, and behind it by the missing capability."""
import ctypes
from probe import attempt, syscall

BPF_MAP_TYPE_ARRAY = 2
request = (ctypes.c_uint * 30)(BPF_MAP_TYPE_ARRAY, 4, 4, 1)
attempt(lambda: syscall("bpf", 0, request, 72))
