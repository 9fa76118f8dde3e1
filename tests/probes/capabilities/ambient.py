# expect: refused prctl
"""Asks for an ambient capability. Held by seccomp, by argument."""
from probe import attempt, syscall

PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
attempt(lambda: syscall("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
