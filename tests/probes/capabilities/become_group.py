# expect: refused setgid
"""Takes another group. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("setgid", 4))
