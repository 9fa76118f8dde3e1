# expect: refused mq_open
"""Opens a POSIX message queue of the host. Held by seccomp, and behind it by the ipc namespace."""
import os
from probe import attempt, bait, syscall

attempt(lambda: syscall("mq_open", bait("name").encode(), os.O_RDONLY, 0, 0))
