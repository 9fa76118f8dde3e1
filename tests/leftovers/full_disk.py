"""Fills the disk and uses up its inodes."""
import os, sys
from probe import contained, escaped

if sys.argv[1] == "leave":
    # No room for the last kilobytes: the limit itself is another test's matter.
    for number in range(1000):
        os.mkdir(f"/tmp/{number}")
    with open("/work/fill", "wb") as file:
        for _ in range(50):
            file.write(bytes(1 << 20))
    contained("left")
disk = os.statvfs("/work")
free, inodes = disk.f_bfree * disk.f_bsize, disk.f_files - disk.f_ffree
(contained if free > 60 << 20 and inodes < 20 else escaped)(f"{free} bytes free, {inodes} inodes used")
