"""Leaves an abstract socket with a process that listens on it."""
import os, signal, socket, sys
from probe import attempt, contained

with socket.socket(socket.AF_UNIX) as listener:
    if sys.argv[1] == "leave":
        listener.bind("\0left")
        listener.listen()
        if os.fork() == 0:
            while True:
                signal.pause()
        contained("left")
    attempt(lambda: listener.connect("\0left"))
