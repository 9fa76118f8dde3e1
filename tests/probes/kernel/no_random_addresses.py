# expect: refused personality
"""Switches off the randomness of addresses for its children. Held by seccomp, by argument."""
from probe import attempt, syscall

ADDR_NO_RANDOMIZE = 0x0040000
attempt(lambda: syscall("personality", ADDR_NO_RANDOMIZE))
