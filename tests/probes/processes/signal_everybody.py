"""Signals everybody that it can reach. Held by the pid namespace: nobody is there but itself."""
import os
from probe import attempt

attempt(lambda: os.kill(-1, 0))
