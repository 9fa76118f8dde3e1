"""Leaves a process that has turned away from its parent and its session."""
import os, signal, sys
from probe import contained, escaped

if sys.argv[1] == "leave":
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 65):
                if number not in (9, 19, 32, 33):
                    signal.signal(number, signal.SIG_IGN)
            os.closerange(0, 3)
            os.write(write, b"1")
            while True:
                signal.pause()
        os._exit(0)
    os.read(read, 1)
    contained("left")
found = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
(escaped if found else contained)(found)
