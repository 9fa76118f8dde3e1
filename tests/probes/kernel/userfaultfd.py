# expect: denied userfaultfd
"""Handles its own page faults, which stops the kernel amid a copy. Held by seccomp."""
from probe import attempt, syscall

UFFD_USER_MODE_ONLY = 1
attempt(lambda: syscall("userfaultfd", UFFD_USER_MODE_ONLY))
