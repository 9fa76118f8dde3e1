# expect: denied chroot
"""Changes its root, the first step of the classic way out. Held by seccomp and the missing capability."""
from probe import attempt, syscall

attempt(lambda: syscall("chroot", b"/work"))
