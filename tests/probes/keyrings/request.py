# expect: denied request_key
"""Asks for a key, for which the kernel may start a program on the host. Held by seccomp."""
from probe import reach

reach("request_key", b"user", b"glovebox-probe", 0, 0)
