"""Leaves memory: its own, of a file without a name, and of a process that stays."""
import os, signal, sys
from probe import contained, escaped

if sys.argv[1] == "leave":
    file = os.memfd_create("left")
    os.posix_fallocate(file, 0, 60 << 20)
    held = bytearray(b"x") * (60 << 20)
    if os.fork() == 0:
        while True:
            signal.pause()
    contained("left")
held = bytearray(b"x") * (200 << 20)
contained(f"{len(held)} bytes of 256 MiB are there again")
