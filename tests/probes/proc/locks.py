"""Looks for a lock that a process of the host holds. Held by the mask over /proc/locks."""
from probe import bait, contained, escaped

text = open("/proc/locks").read()
(escaped if f":{bait('inode')} " in text else contained)(text)
