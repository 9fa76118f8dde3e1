"""Opens a namespace of a host process. Held by the pid namespace, the uid and Landlock."""
import os
from probe import attempt, bait

attempt(lambda: os.open(f"/proc/{bait('pid')}/ns/net", os.O_RDONLY))
