"""Connects to an abstract socket of the host. Held by the empty network, and behind it by Landlock's scope."""
import socket
from probe import attempt, bait

attempt(lambda: socket.socket(socket.AF_UNIX).connect("\0" + bait("name")))
