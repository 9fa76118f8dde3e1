"""Opens a shared memory file of the host in /dev/shm. Held by the cell's own /dev/shm."""
import os
from probe import attempt, bait

attempt(lambda: os.read(os.open(bait("posix_shm"), os.O_RDWR), 100))
