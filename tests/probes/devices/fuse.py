"""Opens the device by which a program becomes a file system. Held by the cell's own /dev."""
import os
from probe import attempt

attempt(lambda: os.open("/dev/fuse", os.O_RDWR))
