"""Looks for another job's files in every folder, by name too."""
import os
from probe import contained, escaped

found = [f"{folder}/{name}" for folder in ("/work", "/tmp", "/dev/shm") for name in os.listdir(folder)]
found = [path for path in found if os.path.basename(path) not in ("main.py", "probe.py")]
(escaped if found else contained)(found)
