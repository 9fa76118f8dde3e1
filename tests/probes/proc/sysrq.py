"""Opens the kernel's trigger for writing. Held by the read-only /proc, Landlock and the uid."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY))
