# expect: refused mknodat
"""Makes a device that reads the host's disk. Held by seccomp, by argument, the missing capability and nodev."""
import os
from probe import attempt

attempt(lambda: os.mknod("disk", 0o060666, os.makedev(254, 0)))
