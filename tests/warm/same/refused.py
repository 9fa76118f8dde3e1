import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for number in (155, 310, 425, 272):  # pivot_root, process_vm_readv, io_uring_setup, unshare
    print(number, libc.syscall(number, 0, 0, 0, 0, 0, 0), ctypes.get_errno())
