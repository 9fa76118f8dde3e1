# expect: denied open_tree
"""Clones a tree of mounts. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

OPEN_TREE_CLONE = 1
attempt(lambda: syscall("open_tree", -100, b"/usr/bin", OPEN_TREE_CLONE))
