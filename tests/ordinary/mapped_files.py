"""A file in memory, shared with a child."""
import mmap, os

with open("data", "wb+") as file:
    file.truncate(1 << 20)
    with mmap.mmap(file.fileno(), 0) as view:
        view[:5] = b"hello"
        view.flush()
        if os.fork() == 0:
            view[0:1] = b"H"
            os._exit(0)
        os.wait()
        assert view[:5] == b"Hello"
print("ok")
