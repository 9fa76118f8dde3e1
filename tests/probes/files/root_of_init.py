"""Goes through /proc/1/root. Held by hidepid and the init, which cannot be looked at."""
import os
from probe import attempt

attempt(lambda: os.listdir("/proc/1/root"))
