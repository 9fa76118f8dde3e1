"""Empties a file that all jobs share. Held by the read-only mount, Landlock and the uid."""
import os
from probe import attempt

attempt(lambda: os.truncate("/etc/passwd", 0))
