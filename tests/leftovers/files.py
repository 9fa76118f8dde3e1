"""Leaves files, hidden ones too, in every folder that it may write to."""
import os, sys
from probe import contained, escaped

FOLDERS = ("/work", "/tmp", "/dev/shm")
if sys.argv[1] == "leave":
    for folder in FOLDERS:
        open(f"{folder}/left", "w").write("secret")
        open(f"{folder}/.left", "w").write("secret")
        os.makedirs(f"{folder}/.deep/er")
    contained("left")
found = [f"{folder}/{name}" for folder in FOLDERS for name in os.listdir(folder) if name not in ("main.py", "probe.py")]
(escaped if found else contained)(found)
