"""Looks for another job's locks in the table of all."""
from probe import contained, escaped

rows = open("/proc/locks").read()
(escaped if rows else contained)(rows)
