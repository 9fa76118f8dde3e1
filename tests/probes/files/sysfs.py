"""Lists the host's devices below /sys. Held by the cell's own root, in which there is none."""
import os
from probe import attempt

attempt(lambda: os.listdir("/sys/class"))
