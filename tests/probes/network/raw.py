# expect: refused socket
"""Makes a raw socket. Held by seccomp and the missing capability."""
import socket
from probe import attempt

attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
