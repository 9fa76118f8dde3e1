"""Opens the kernel's memory. Held by the uid and the missing capability."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/kcore", os.O_RDONLY))
