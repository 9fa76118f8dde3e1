"""Looks whether its crash would start a handler on the host. Held by the resource limits: 1 is the value at which none is."""
import resource
from probe import contained, escaped

limit = resource.getrlimit(resource.RLIMIT_CORE)
(contained if limit == (1, 1) else escaped)(limit)
