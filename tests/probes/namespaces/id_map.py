"""Maps ids of its own choice. Held by the read-only /proc and the user namespace, which is not its own."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/self/uid_map", os.O_WRONLY))
