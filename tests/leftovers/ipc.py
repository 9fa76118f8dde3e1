"""Leaves what System V and POSIX know by a key or a name: no process need hold it."""
# expect: refused shmget semget msgget mq_open
import sys
from probe import contained, escaped, syscall

KEY, CREATE = 0x1EF7, 0o1000
CALLS = ("shmget", KEY, 4096), ("semget", KEY, 1), ("msgget", KEY)
found = []
for call, *args in CALLS:
    for flags in (CREATE | 0o600,) if sys.argv[1] == "leave" else (0,):
        try:
            found.append((call, syscall(call, *args, flags)))
        except OSError:
            pass
try:
    found.append(syscall("mq_open", b"left", (0o100 if sys.argv[1] == "leave" else 0) | 2, 0o600, 0))
except OSError:
    pass
if sys.argv[1] == "leave":
    contained("left")
for table in "shm", "sem", "msg":
    found += open(f"/proc/sysvipc/{table}").read().splitlines()[1:]
(escaped if found else contained)(found)
