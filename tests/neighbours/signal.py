"""Signals every process that it can."""
import os, signal
from probe import attempt

attempt(lambda: os.kill(-1, signal.SIGKILL))
