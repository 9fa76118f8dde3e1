# expect: refused msgrcv
"""Reads a message of the host. Held by seccomp, and behind it by the ipc namespace."""
import ctypes
from probe import attempt, bait, syscall

MSG_COPY, IPC_NOWAIT = 0o40000, 0o4000
buffer = ctypes.create_string_buffer(264)
attempt(lambda: syscall("msgrcv", int(bait("queue")), buffer, 256, 0, MSG_COPY | IPC_NOWAIT), lambda _: buffer.raw[8:])
