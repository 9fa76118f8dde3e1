"""Opens a file that only root may read. Held by the cell's own root, and behind it by the uid."""
from probe import attempt, bait

attempt(lambda: open(bait("root_file")).read())
