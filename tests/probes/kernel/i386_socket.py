# expect: denied foreign_architecture
"""Makes a network socket by socketcall, a call that only 32-bit programs have. Held by seccomp's look at the architecture."""
import ctypes, mmap
from probe import contained, escaped

SOCKETCALL, SYS_SOCKET, MAP_32BIT = 102, 1, 0x40
page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT, prot=7)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
page.write((2).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(4))  # AF_INET, SOCK_STREAM, 0
# push rbx; mov ebx, 1; mov ecx, page; mov eax, 102; int 0x80; pop rbx; ret
code = b"\x53\xbb" + SYS_SOCKET.to_bytes(4, "little") + b"\xb9" + address.to_bytes(4, "little")
code += b"\xb8" + SOCKETCALL.to_bytes(4, "little") + b"\xcd\x80\x5b\xc3"
page.seek(64)
page.write(code)
got = ctypes.CFUNCTYPE(ctypes.c_int)(address + 64)()
(escaped if got >= 0 else contained)(got)
