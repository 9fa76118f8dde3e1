# expect: refused ioctl
"""The same with a bit that the kernel does not read (CVE-2019-10063). Held by seccomp's 32-bit look."""
from probe import reach

TIOCSTI = 0x5412
reach("ioctl", 0, TIOCSTI | 1 << 32, b"x")
