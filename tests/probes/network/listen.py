# expect: refused socket
"""Listens for others. Held by seccomp, and behind it by Landlock and the empty network."""
import socket
from probe import attempt


def listen():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()


attempt(listen)
