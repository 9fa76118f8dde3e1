# expect: denied open_by_handle_at
"""Opens a file by its handle, as the Docker breakout "shocker" did. Held by seccomp and the missing capability."""
import os
from probe import reach

root = os.open("/", os.O_RDONLY)
reach("open_by_handle_at", root, bytes([8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]), os.O_RDONLY)
