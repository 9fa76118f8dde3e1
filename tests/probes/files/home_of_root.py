"""Lists root's home. Held by the cell's own root, and behind it by the uid."""
import os
from probe import attempt

attempt(lambda: len(os.listdir("/root")))
