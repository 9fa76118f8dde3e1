"""Says how soon it is to be killed when the host's memory runs out. Held by the read-only /proc and Landlock."""
from probe import attempt


def write():
    # Its own score, to which it may be raised by anybody.
    with open("/proc/self/oom_score_adj", "r+") as file:
        score = file.read()
        file.seek(0)
        file.write(score)


attempt(write)
