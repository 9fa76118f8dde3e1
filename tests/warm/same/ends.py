# What is destroyed at the end, and what says so.
import sys
class Slotted:
    __slots__ = ()
    def __del__(self):
        print("slotted")
kept = Slotted()
del Slotted
