"""Pins more memory than its limit. Held by the resource limits."""
import ctypes, mmap, os
from probe import attempt

libc = ctypes.CDLL(None, use_errno=True)
page = mmap.mmap(-1, 1 << 20)


def lock():
    if libc.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(page))), ctypes.c_size_t(1 << 20)):
        raise OSError(ctypes.get_errno(), "mlock")


attempt(lock, lambda _: "1 MiB")
