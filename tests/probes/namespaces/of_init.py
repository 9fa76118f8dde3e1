"""Opens the namespaces of the cell's init. Held by hidepid and the init, which cannot be looked at."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/1/ns/net", os.O_RDONLY))
