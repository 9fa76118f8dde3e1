"""Opens the machine's memory. Held by the cell's own /dev."""
import os
from probe import attempt

attempt(lambda: os.open("/dev/mem", os.O_RDONLY))
