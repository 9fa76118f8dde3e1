"""Looks for a descriptor that it was not meant to have (CVE-2024-21626). Held by the closing of all others."""
import os
from probe import contained, escaped

leaked = []
for fd in range(3, 1024):
    try:
        leaked.append(f"{fd}: {os.readlink(f'/proc/self/fd/{fd}')}")
    except OSError:
        pass
(escaped if leaked else contained)(leaked)
