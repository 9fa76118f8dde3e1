"""Asks who holds a lock on a file of the host. Held by the cell's own root."""
import fcntl, struct
from probe import attempt, bait


def holder():
    asked = struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 0, 0)
    return struct.unpack("hhqqi", fcntl.fcntl(open(bait("shared_file")), fcntl.F_GETLK, asked))


attempt(holder)
