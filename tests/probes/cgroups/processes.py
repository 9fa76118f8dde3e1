"""Makes more processes than its limit. Held by the pids cgroup."""
import os, signal
from probe import attempt


def many():
    for _ in range(60):
        if os.fork() == 0:
            signal.pause()


attempt(many, lambda _: "60 processes")
