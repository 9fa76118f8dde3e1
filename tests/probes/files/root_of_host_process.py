"""Goes through /proc to a host process's root. Held by the pid namespace, the uid and Landlock, each of which hides it."""
import os
from probe import attempt, bait

attempt(lambda: open(f"/proc/{bait('pid')}/root{bait('file')}").read())
