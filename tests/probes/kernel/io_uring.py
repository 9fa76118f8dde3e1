# expect: refused io_uring_setup
"""Sets up a ring, whose calls no filter sees. Held by seccomp."""
import ctypes
from probe import attempt, syscall

attempt(lambda: syscall("io_uring_setup", 1, ctypes.create_string_buffer(120)))
