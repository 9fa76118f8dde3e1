# expect: refused socket
"""Makes an IPv6 socket. Held by seccomp."""
import socket
from probe import attempt

attempt(lambda: socket.socket(socket.AF_INET6))
