"""Takes back from the runner's pipe what was written to it, or writes to its own input. Nothing but its own bytes is there."""
import os
from probe import contained, escaped

other = os.open("/proc/self/fd/0", os.O_WRONLY | os.O_NONBLOCK) if os.path.exists("/proc/self/fd/0") else -1
os.write(other, b"own")
(contained if os.read(0, 100) == b"own" else escaped)("its own bytes")
