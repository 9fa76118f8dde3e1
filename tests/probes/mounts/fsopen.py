# expect: denied fsopen
"""Opens a new file system by the new interface. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("fsopen", b"tmpfs", 0))
