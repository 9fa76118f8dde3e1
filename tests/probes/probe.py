"""What the probes share: raw system calls, the harness's bait, and the one word that each of them ends with.

A probe that ends without either word has failed: neither is the default.
"""
import ctypes, errno, os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

# x86_64, arch/x86/entry/syscalls/syscall_64.tbl
NUMBERS = {
    "write": 1, "ioctl": 16, "shmget": 29, "shmat": 30, "getpid": 39, "sendfile": 40, "socket": 41, "socketpair": 53, "clone": 56, "semget": 64,
    "semctl": 66, "msgget": 68, "msgrcv": 70, "fcntl": 72, "flock": 73, "ptrace": 101, "syslog": 103, "setuid": 105,
    "setgid": 106, "setreuid": 113, "setgroups": 116, "setresuid": 117, "setfsuid": 122, "capset": 126, "rt_sigqueueinfo": 129,
    "mknod": 133, "personality": 135, "sysfs": 139, "sched_setscheduler": 144, "vhangup": 153, "modify_ldt": 154,
    "pivot_root": 155, "prctl": 157, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165,
    "umount2": 166, "swapon": 167, "reboot": 169, "sethostname": 170, "iopl": 172, "ioperm": 173, "init_module": 175,
    "delete_module": 176, "quotactl": 179, "setxattr": 188, "remap_file_pages": 216, "clock_settime": 227, "mq_open": 240,
    "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "ioprio_set": 251, "migrate_pages": 256,
    "unshare": 272, "splice": 275, "tee": 276, "vmsplice": 278, "move_pages": 279, "inotify_init1": 294,
    "perf_event_open": 298, "fanotify_init": 300, "prlimit64": 302, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "syncfs": 306, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
    "sched_setattr": 314, "seccomp": 317, "memfd_create": 319, "bpf": 321, "execveat": 322, "userfaultfd": 323,
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "process_madvise": 440,
    "mount_setattr": 442, "landlock_create_ruleset": 444, "memfd_secret": 447, "process_mrelease": 448, "statmount": 457,
    "listmount": 458, "lsm_list_modules": 461,
}


def contained(why):
    _end("CONTAINED", why)


def escaped(what):
    _end("ESCAPED", what)


def _end(word, text):
    print(f"{word}: {' '.join(str(text).split())}", flush=True)
    # Not exit(): in a forked child, or with threads about, the word must be the last thing all the same.
    os._exit(0)


def bait(name):
    """Where the harness has put something that this probe may know of and must not reach."""
    return os.environ[f"BAIT_{name.upper()}"]


def syscall(call, *args):
    """A call by its name or number, past the C library; OSError when the kernel refuses it."""
    number = NUMBERS[call] if isinstance(call, str) else call
    ctypes.set_errno(0)
    got = _libc.syscall(ctypes.c_long(number), *map(_register, args))
    if got == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return got


def _register(value):
    if isinstance(value, int):
        return ctypes.c_long(value)
    if isinstance(value, bytes):
        return ctypes.c_char_p(value)
    return ctypes.byref(value)


def attempt(action, gain=str):
    """Escapes if the action works, and `gain` says what it brought."""
    try:
        got = action()
    except OSError as error:
        contained(errno.errorcode.get(error.errno, error))
    escaped(gain(got))


def reach(call, *args):
    """For calls that have nothing to work on here: any answer but the policy's shows that the kernel's own code was reached."""
    try:
        escaped(f"{call} gave {syscall(call, *args)}")
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS):
            contained(errno.errorcode[error.errno])
        escaped(f"{call} was looked at: {errno.errorcode[error.errno]}")
