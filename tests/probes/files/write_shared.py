"""Opens a world-writable file of the host for writing. Held by the cell's own root, and behind it by Landlock."""
import os
from probe import attempt, bait

attempt(lambda: os.open(bait("shared_file"), os.O_WRONLY | os.O_APPEND))
