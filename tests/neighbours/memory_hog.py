# expect: limit memory
"""Takes all memory: the other job must live on."""
from probe import escaped

held = bytearray(b"x") * (2 << 30)
escaped(len(held))
