"""Makes a host process the first to be killed. Held by the pid namespace, the read-only /proc and Landlock."""
import os
from probe import attempt, bait

attempt(lambda: os.open(f"/proc/{bait('pid')}/oom_score_adj", os.O_WRONLY))
