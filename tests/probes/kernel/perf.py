# expect: denied perf_event_open
"""Counts events of its own process. Held by seccomp."""
import ctypes
from probe import attempt, syscall

PERF_TYPE_SOFTWARE, EXCLUDE_KERNEL_AND_HYPERVISOR = 1, 1 << 5 | 1 << 6
attributes = (ctypes.c_ulong * 16)(PERF_TYPE_SOFTWARE | 128 << 32, 0, 0, 0, 0, EXCLUDE_KERNEL_AND_HYPERVISOR)
attempt(lambda: syscall("perf_event_open", attributes, 0, -1, -1, 0))
