# expect: refused ioctl
"""Pastes into a console (TIOCLINUX). Held by seccomp, by argument."""
from probe import reach

TIOCLINUX = 0x541C
reach("ioctl", 0, TIOCLINUX, b"\x03")
