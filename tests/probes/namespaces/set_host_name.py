# expect: denied sethostname
"""Renames the host. Held by seccomp, the missing capability and the uts namespace."""
from probe import attempt, syscall

attempt(lambda: syscall("sethostname", b"owned", 5))
