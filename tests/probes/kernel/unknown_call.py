# expect: refused syscall_5000
"""Makes a call with a number that no kernel has yet. Held by seccomp: the list says what is allowed, not what is not."""
from probe import reach

reach(5000, 0, 0, 0, 0, 0, 0)
