# expect: refused prctl
"""Asks to keep capabilities over a change of uid. Held by seccomp, by argument."""
from probe import attempt, syscall

PR_SET_KEEPCAPS = 8
attempt(lambda: syscall("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0))
