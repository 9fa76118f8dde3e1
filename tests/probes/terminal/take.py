# expect: refused ioctl
"""Makes a descriptor its controlling terminal. Held by seccomp, by argument."""
from probe import reach

TIOCSCTTY = 0x540E
reach("ioctl", 0, TIOCSCTTY, 1)
