"""Reads the command line of a host process. Held by the pid namespace and hidepid."""
from probe import attempt, bait

attempt(lambda: open(f"/proc/{bait('pid')}/cmdline").read())
