"""Looks for another job's sockets."""
from probe import contained, escaped

rows = open("/proc/net/unix").read().splitlines()[1:]
(escaped if rows else contained)(rows)
