"""Lowers the priority of a host process. Held by the pid namespace and the uid."""
import os
from probe import attempt, bait

attempt(lambda: os.setpriority(os.PRIO_PROCESS, int(bait("pid")), 0))
