"""Opens the name of the core dump handler for writing. Held by the read-only /proc, Landlock and the uid."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
