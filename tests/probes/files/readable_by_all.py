"""Opens a world-readable file of the host. Held by the cell's own root."""
from probe import attempt, bait

attempt(lambda: open(bait("file")).read())
