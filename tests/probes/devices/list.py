"""Looks for a device that is not one of the five harmless ones. Held by the cell's own /dev."""
import os, stat
from probe import contained, escaped

harmless = {"null", "zero", "full", "random", "urandom"}
kinds = {name: os.lstat(f"/dev/{name}").st_mode for name in os.listdir("/dev")}
more = [name for name, mode in kinds.items() if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and name not in harmless]
(escaped if more else contained)(more[:9])
