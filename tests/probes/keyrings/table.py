"""Looks for keys of the host in /proc/keys. Held by the mask over it."""
from probe import contained, escaped

rows = open("/proc/keys").read().splitlines()
(escaped if rows else contained)(rows)
