"""Raises a limit of the whole host. Held by the read-only /proc, Landlock and the uid."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/sys/fs/file-max", os.O_WRONLY))
