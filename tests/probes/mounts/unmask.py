# expect: denied umount2
"""Takes the mask from /proc/keys. Held by seccomp, and behind it by the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("umount2", b"/proc/keys", 2))
