"""Looks for an interface besides loopback. Held by the empty network."""
from probe import contained, escaped

names = [line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]]
(contained if names == ["lo"] else escaped)(names)
