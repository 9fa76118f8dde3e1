"""Climbs by `..` from a folder of its own, by path and by descriptor. Held by pivot_root."""
import os
from probe import attempt, bait


def climb():
    fd = os.open("/work", os.O_DIRECTORY)
    for _ in range(40):
        fd = os.open("..", os.O_DIRECTORY, dir_fd=fd)
    file = os.open(bait("file").lstrip("/"), os.O_RDONLY, dir_fd=fd)
    return os.read(file, 100)


attempt(climb)
