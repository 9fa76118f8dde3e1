"""Looks where the other job's cgroup lies."""
from probe import contained, escaped

paths = {line.split(":", 2)[2] for line in open("/proc/self/cgroup").read().splitlines()}
(contained if paths == {"/"} else escaped)(paths)
