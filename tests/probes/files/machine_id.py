"""Reads an id that is the host's for ever. Held by the cell's own root."""
from probe import attempt

attempt(lambda: open("/var/lib/dpkg/status").read(20))
