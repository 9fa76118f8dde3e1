# expect: denied foreign_architecture
"""Makes a 32-bit call by int 0x80, whose numbers mean others. Held by seccomp's look at the architecture."""
import ctypes, mmap
from probe import escaped

GETPID = 20
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes([0xB8, GETPID, 0, 0, 0, 0xCD, 0x80, 0xC3]))  # mov eax, 20; int 0x80; ret
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
escaped(f"getpid gave {function()}")
