"""Leaves an extended attribute on a file that all jobs share. Held by the read-only mount and the uid."""
import os
from probe import attempt

attempt(lambda: os.setxattr("/etc/passwd", "user.left", b"x"))
