"""Puts a capability on a file of its own. Held by the missing capability."""
import os, struct
from probe import attempt

open("own", "w").close()
attempt(lambda: os.setxattr("own", "security.capability", struct.pack("<5I", 0x02000001, 1 << 21, 0, 0, 0)))
