"""Opens the bait through a link of its own. Held by the cell's own root: a link is resolved inside."""
import os
from probe import attempt, bait

os.symlink(bait("file"), "link")
attempt(lambda: open("link").read())
