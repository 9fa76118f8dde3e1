"""Looks what its three descriptors are. Held by the pipes made for it: no terminal, no file of the host."""
import os
from probe import contained, escaped

kinds = [os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in range(3)]
(contained if kinds == ["pipe"] * 3 else escaped)(kinds)
