# expect: refused socket
"""Talks to the kernel's ciphers (AF_ALG, CVE-2026-31431). Held by seccomp."""
import socket
from probe import attempt

attempt(lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET))
