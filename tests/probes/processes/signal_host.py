"""Signals a process of the host. Held by the pid namespace, the uid and Landlock's scope."""
import os
from probe import attempt, bait

attempt(lambda: os.kill(int(bait("pid")), 0))
