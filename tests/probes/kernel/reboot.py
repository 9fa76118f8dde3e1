# expect: denied reboot
"""Reboots, with a magic number that is none. Held by seccomp, the missing capability and the pid namespace."""
from probe import reach

reach("reboot", 0, 0, 0, 0)
