"""Reads /etc/hostname. Held by the cell's own root."""
from probe import attempt

attempt(lambda: open("/etc/hostname").read())
