"""Reads and sets a limit of a host process. Held by the pid namespace and the uid."""
import resource
from probe import attempt, bait

attempt(lambda: resource.prlimit(int(bait("pid")), resource.RLIMIT_NOFILE))
