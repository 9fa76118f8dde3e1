# expect: refused socket
"""Connects to a service on the host's loopback. Held by seccomp, and behind it by the empty network and Landlock."""
import socket
from probe import attempt, bait

attempt(lambda: socket.create_connection(("127.0.0.1", int(bait("port")))))
