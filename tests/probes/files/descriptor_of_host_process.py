"""Opens a file that a host process has open. Held by the pid namespace, the uid and Landlock."""
from probe import attempt, bait

attempt(lambda: open(f"/proc/{bait('pid')}/fd/{bait('fd')}").read())
