# expect: denied add_key
"""Leaves a key, which the next job of its uid would find. Held by seccomp."""
from probe import attempt, syscall

KEY_SPEC_THREAD_KEYRING = -1
attempt(lambda: syscall("add_key", b"user", b"glovebox-probe", b"x", 1, KEY_SPEC_THREAD_KEYRING))
