# expect: refused socket
"""Talks to the host of a virtual machine; no namespace divides that. Held by seccomp alone."""
import socket
from probe import attempt

attempt(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
