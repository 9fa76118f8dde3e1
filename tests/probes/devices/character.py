# expect: refused mknodat
"""Makes a device that reads the machine's memory. Held by seccomp, by argument, the missing capability and nodev."""
import os
from probe import attempt

attempt(lambda: os.mknod("mem", 0o020666, os.makedev(1, 1)))
