"""The same by its device. Held by the cell's own /dev."""
import os
from probe import attempt

attempt(lambda: os.open("/dev/userfaultfd", os.O_RDWR))
