"""Looks for another job's processes."""
import os
from probe import contained, escaped

found = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
(escaped if found else contained)(found)
