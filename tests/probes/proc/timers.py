"""Looks for timers of others. Held by the mask over /proc/timer_list."""
from probe import contained, escaped

text = open("/proc/timer_list").read(64)
(escaped if text else contained)(text)
