# expect: limit processes
"""Forks without end: the other job must live on."""
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
