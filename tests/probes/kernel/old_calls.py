# expect: refused sysfs
"""Makes a call that nobody has needed for thirty years. Held by seccomp."""
from probe import attempt, syscall

attempt(lambda: syscall("sysfs", 3))
