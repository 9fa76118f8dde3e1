"""A thread with a stack of its own size, and memory that may not be swapped."""
import ctypes, mmap, threading

threading.stack_size(8 << 20)
thread = threading.Thread(target=lambda: None)
thread.start()
thread.join(5)
page = mmap.mmap(-1, 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
assert ctypes.CDLL(None).mlock(ctypes.c_void_p(address), 4096) == 0
print("ok")
