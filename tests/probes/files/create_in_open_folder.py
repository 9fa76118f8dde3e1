"""Makes a file in a world-writable folder of the host. Held by the cell's own root, and behind it by Landlock."""
from probe import attempt, bait

attempt(lambda: open(bait("open_folder") + "/left", "w").write("x"))
