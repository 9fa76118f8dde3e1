"""Reads what is installed on the host. Held by the cell's own root."""
from probe import attempt

attempt(lambda: open("/var/lib/dpkg/status").read(20))
