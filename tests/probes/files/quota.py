# expect: denied quotactl
"""Reads the quotas of the host's disks. Held by seccomp."""
from probe import reach

reach("quotactl", 0x80000100, 0, 0, 0)
