"""Makes a file that all jobs share writable for all. Held by the read-only mount and the uid."""
import os
from probe import attempt

attempt(lambda: os.chmod("/etc/passwd", 0o666))
