# expect: refused socketpair
"""Makes a pair of sockets of another family. Held by seccomp."""
import ctypes
from probe import reach

reach("socketpair", 2, 1, 0, (ctypes.c_int * 2)())
