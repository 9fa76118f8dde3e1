"""Renames a file of its own over /etc/passwd. Held by the read-only mount and Landlock."""
import os
from probe import attempt

open("passwd", "w").write("root::0:0::/:/bin/sh\n")
attempt(lambda: os.rename("passwd", "/etc/passwd"))
