# expect: refused socket
"""Asks for AF_INET with a bit that the kernel does not read and a careless filter does. Held by seccomp's 32-bit look."""
from probe import attempt, syscall

attempt(lambda: syscall("socket", 2 | 1 << 32, 1, 0))
