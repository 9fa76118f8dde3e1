"""Looks for kernel addresses. Held by the mask over /proc/kallsyms."""
from probe import contained, escaped

text = open("/proc/kallsyms").read(64)
(escaped if text else contained)(text)
