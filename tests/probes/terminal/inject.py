# expect: refused ioctl
"""Types into the terminal that started it (TIOCSTI). Held by seccomp, by argument; there is no terminal either."""
from probe import reach

TIOCSTI = 0x5412
reach("ioctl", 0, TIOCSTI, b"x")
