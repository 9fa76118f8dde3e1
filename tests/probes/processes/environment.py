"""Reads the environment of a host process. Held by the pid namespace, the uid and Landlock."""
from probe import attempt, bait

attempt(lambda: open(f"/proc/{bait('pid')}/environ").read())
