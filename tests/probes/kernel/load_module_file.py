# expect: denied finit_module
"""Loads a kernel module from a file. Held by seccomp and the missing capability."""
import os
from probe import reach

reach("finit_module", os.open("/work/main.py", os.O_RDONLY), b"", 0)
