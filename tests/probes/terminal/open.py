"""Opens the terminal of its session. Held by the cell's own /dev."""
import os
from probe import attempt

attempt(lambda: os.open("/dev/tty", os.O_RDWR))
