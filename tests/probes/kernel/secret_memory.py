# expect: refused memfd_secret
"""Makes memory that not even the kernel's own accounting sees well. Held by seccomp."""
from probe import reach

reach("memfd_secret", -1)
