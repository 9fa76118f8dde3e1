"""Sets the times of a file that all jobs share, a message to the next. Held by the read-only mount and the uid."""
import os
from probe import attempt

attempt(lambda: os.utime("/etc/passwd", (1, 1)))
