"""Pins a host process to one processor. Held by the pid namespace and the uid."""
import os
from probe import attempt, bait

pid = int(bait("pid"))
attempt(lambda: os.sched_setaffinity(pid, os.sched_getaffinity(pid)))
