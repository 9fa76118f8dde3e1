"""Raises its own priority. Held by the missing capability."""
import os
from probe import attempt

attempt(lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
