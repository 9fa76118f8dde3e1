"""Reads where its cgroup lies on the host. Held by the cgroup namespace."""
from probe import contained, escaped

paths = {line.split(":", 2)[2] for line in open("/proc/self/cgroup").read().splitlines()}
(escaped if any("glovebox" in path for path in paths) else contained)(sorted(paths))
