"""Opens the pipe to the runner for reading, to take back what was written. Held by the pipe's owner, who is not the job."""
import os
from probe import attempt

attempt(lambda: os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK))
