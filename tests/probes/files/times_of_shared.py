"""Sets the times of a shared program, a message that all jobs could read. Held by the read-only mount and the uid."""
import os
from probe import attempt

attempt(lambda: os.utime("/usr/bin/env", (1, 1)))
