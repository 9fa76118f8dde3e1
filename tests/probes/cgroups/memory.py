# expect: limit memory
"""Takes more memory than its limit. Held by the memory cgroup."""
from probe import escaped

taken = bytearray(b"x") * (400 << 20)
escaped(f"{len(taken)} bytes")
