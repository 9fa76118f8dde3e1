"""Leaves sockets that the slot's network namespace, which is kept, could remember."""
import socket, sys
from probe import contained, escaped

if sys.argv[1] == "leave":
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for number, one in enumerate(sockets):
        one.bind(f"\0table-{number}")
        one.set_inheritable(True)
    contained("left")
rows = open("/proc/net/unix").read().splitlines()[1:]
(escaped if rows else contained)(rows)
