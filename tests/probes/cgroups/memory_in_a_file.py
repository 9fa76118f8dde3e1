# expect: limit memory
"""Takes more memory than its limit as a file without a name. Held by the memory cgroup."""
import os
from probe import escaped

file = os.memfd_create("hidden")
for _ in range(7):
    os.ftruncate(file, 60 << 20)
    os.posix_fallocate(file, 0, 60 << 20)
    file = os.memfd_create("hidden")
escaped("420 MiB")
