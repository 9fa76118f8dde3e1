"""Looks for a process of the host in /proc. Held by the pid namespace, and behind it by hidepid, which asks for the uid."""
import os
from probe import bait, contained, escaped

pids = [name for name in os.listdir("/proc") if name.isdigit()]
(escaped if bait("pid") in pids else contained)(pids)
