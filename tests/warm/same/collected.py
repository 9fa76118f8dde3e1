# What the collector has gone over, or has been told to leave alone, has an end all the same.
import atexit, gc, io
class Loud:
    def __del__(self):
        print("gone")
class Raw(io.RawIOBase):
    def writable(self):
        return True
    def write(self, data):
        print(bytes(data))
        return len(data)
def waits():
    try:
        yield
    finally:
        print("closed")
loud, waiting, buffered = Loud(), waits(), io.BufferedWriter(Raw())
next(waiting)
buffered.write(b"kept back")
gc.collect()
