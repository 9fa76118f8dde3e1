"""Opens the kernel's log. Held by the cell's own /dev."""
import os
from probe import attempt

attempt(lambda: os.open("/dev/kmsg", os.O_RDONLY))
