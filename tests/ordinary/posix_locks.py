"""A lock on a file that another process waits for."""
import fcntl, os

file = open("locked", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
read, write = os.pipe()
if os.fork() == 0:
    other = open("locked", "r+")
    os.write(write, b"1")
    fcntl.lockf(other, fcntl.LOCK_EX)
    os._exit(0)
assert os.read(read, 1) == b"1"
fcntl.lockf(file, fcntl.LOCK_UN)
assert os.wait()[1] == 0
print("ok")
