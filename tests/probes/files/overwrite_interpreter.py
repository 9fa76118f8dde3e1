"""Opens its own running interpreter for writing (CVE-2019-5736). Held by the read-only mount, Landlock and the uid."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/self/exe", os.O_WRONLY))
