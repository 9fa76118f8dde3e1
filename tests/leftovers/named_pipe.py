"""Leaves a named pipe with something in it."""
import os, sys
from probe import attempt, contained

if sys.argv[1] == "leave":
    os.mkfifo("/tmp/pipe")
    pipe = os.open("/tmp/pipe", os.O_RDWR)
    os.write(pipe, b"secret")
    contained("left")
attempt(lambda: os.open("/tmp/pipe", os.O_RDONLY | os.O_NONBLOCK))
