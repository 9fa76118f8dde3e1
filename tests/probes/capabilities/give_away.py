"""Gives a file of its own to root. Held by the uid."""
import os
from probe import attempt

open("own", "w").close()
attempt(lambda: os.chown("own", 0, 0))
