"""Makes a file in the root that all jobs share. Held by the read-only mount, Landlock and the uid."""
import os
from probe import attempt

attempt(lambda: os.open("/usr/left", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
