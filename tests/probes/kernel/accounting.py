# expect: denied acct
"""Has the kernel write to a file of its own whenever a process ends. Held by seccomp and the missing capability."""
from probe import reach

reach("acct", b"/work/account")
