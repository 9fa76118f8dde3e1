"""Looks for locks that others hold. Held by the mask over /proc/locks."""
from probe import contained, escaped

text = open("/proc/locks").read()
(escaped if text else contained)(text)
