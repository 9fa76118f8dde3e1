"""Opens a world-readable file in the host's /tmp. Held by the cell's own /tmp."""
from probe import attempt, bait

attempt(lambda: open(bait("tmp_file")).read())
