# expect: denied clock_settime
"""Sets a clock that is none. Held by seccomp and the missing capability."""
from probe import reach

reach("clock_settime", 99, 0)
