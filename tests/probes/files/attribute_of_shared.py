"""Leaves an extended attribute on a shared program. Held by the read-only mount and the uid."""
import os
from probe import attempt

attempt(lambda: os.setxattr("/usr/bin/env", "user.left", b"x"))
