# expect: refused socket
"""Makes a datagram socket, as a name is looked up. Held by seccomp."""
import socket
from probe import attempt

attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
