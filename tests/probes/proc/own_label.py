"""Asks for another security label. Held by the read-only /proc and Landlock."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/self/attr/exec", os.O_WRONLY))
