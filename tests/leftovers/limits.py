"""Leaves low limits, a low priority, a narrow affinity and an odd mask."""
import os, resource, sys
from probe import contained, escaped

state = {
    "files": resource.getrlimit(resource.RLIMIT_NOFILE), "stack": resource.getrlimit(resource.RLIMIT_STACK),
    "nice": os.nice(0), "processors": len(os.sched_getaffinity(0)), "mask": os.umask(0o22),
}
if sys.argv[1] == "leave":
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
    os.nice(7)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.umask(0o777)
    contained("left")
clean = state["files"] == (1024, 1024) and state["nice"] == 0 and state["mask"] == 0o22
clean = clean and state["processors"] == os.cpu_count() and state["stack"][0] > 1 << 20
(contained if clean else escaped)(state)
