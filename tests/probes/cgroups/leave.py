"""Moves itself to the host's own group. Held by the cell's own root, in which no cgroups are mounted, and by the uid."""
import glob, os
from probe import attempt

attempt(lambda: os.open("/sys/fs/cgroup/pids/tasks", os.O_WRONLY))
