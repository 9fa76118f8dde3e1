"""Opens the memory of the cell's init, a copy of the warden's. Held by hidepid, init's uid and its not being dumpable."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/1/mem", os.O_RDONLY))
