"""The C library, callbacks into Python and structures."""
import ctypes

libc = ctypes.CDLL(None)
array = (ctypes.c_int * 5)(3, 1, 4, 1, 5)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
libc.qsort(array, 5, 4, compare(lambda a, b: a[0] - b[0]))
assert list(array) == [1, 1, 3, 4, 5]
buffer = ctypes.create_string_buffer(20)
libc.snprintf(buffer, 20, b"%d", 42)
assert buffer.value == b"42"
print("ok")
