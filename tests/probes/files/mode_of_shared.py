"""Makes a shared program writable for all. Held by the read-only mount and the uid."""
import os
from probe import attempt

attempt(lambda: os.chmod("/usr/bin/env", 0o777))
