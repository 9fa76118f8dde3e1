"""Reads the host's password hashes. Held by the cell's own root, and behind it by the uid."""
from probe import attempt

attempt(lambda: len(open("/etc/shadow").read()))
