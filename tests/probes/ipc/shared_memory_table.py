"""Looks for a System V segment of the host. Held by the ipc namespace."""
from probe import contained, escaped

rows = open("/proc/sysvipc/shm").read().splitlines()[1:]
(escaped if rows else contained)(rows)
