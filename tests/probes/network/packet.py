# expect: refused socket
"""Listens to a wire. Held by seccomp and the missing capability."""
import socket
from probe import attempt

attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x300))
