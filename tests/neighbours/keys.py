# expect: denied keyctl
"""Searches the keyrings for a key of another job."""
from probe import attempt, syscall

KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING = 10, -4
attempt(lambda: syscall("keyctl", KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, b"user", b"neighbour", 0))
