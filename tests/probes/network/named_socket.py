"""Connects to a socket in the host's file system. Held by the cell's own root."""
import socket
from probe import attempt, bait

attempt(lambda: socket.socket(socket.AF_UNIX).connect(bait("socket")))
