"""Leaves a key in the ring of its uid, which the next job of the slot has, too."""
import sys
from probe import contained, escaped, syscall

KEY_SPEC_USER_KEYRING = -4
if sys.argv[1] == "leave":
    # The cell is ended for it.
    syscall("add_key", b"user", b"left", b"secret", 6, KEY_SPEC_USER_KEYRING)
    contained("left")
found = open("/proc/keys").read().splitlines()
(escaped if found else contained)(found)
