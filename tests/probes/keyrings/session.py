# expect: denied keyctl
"""Looks up the session keyring, which a process inherits from whoever started the runner. Held by seccomp."""
from probe import attempt, syscall

KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING = 0, -3
attempt(lambda: syscall("keyctl", KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0))
