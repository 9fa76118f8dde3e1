"""Reads a host process's memory through /proc. Held by the pid namespace, the uid and Landlock."""
import os
from probe import attempt, bait

attempt(lambda: os.pread(os.open(f"/proc/{bait('pid')}/mem", os.O_RDONLY), int(bait("length")), int(bait("address"))))
