"""Raises a limit of its own. Held by the missing capability."""
import resource
from probe import contained, escaped

try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
except (ValueError, OSError) as error:
    contained(error)
escaped("raised")
