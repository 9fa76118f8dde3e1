# expect: refused socket
"""Talks to the kernel's network part, whose code has had many holes. Held by seccomp."""
import socket
from probe import attempt

attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
