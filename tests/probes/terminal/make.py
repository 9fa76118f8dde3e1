"""Makes a terminal of its own. Held by the cell's own /dev."""
import os
from probe import attempt

attempt(lambda: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
