"""Opens more files than its limit. Held by the resource limits."""
import resource
from probe import contained, escaped

_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
(contained if most == 1024 else escaped)(most)
