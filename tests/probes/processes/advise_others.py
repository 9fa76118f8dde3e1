# expect: refused process_madvise
"""Has another process's memory dropped. Held by seccomp."""
from probe import reach

reach("process_madvise", -1, 0, 0, 0, 0)
