"""Signals the cell's init. Held by init's own uid, and behind it by Landlock's scope."""
import os
from probe import attempt

attempt(lambda: os.kill(1, 0))
