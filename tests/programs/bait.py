"""Holds what no job may reach, as an ordinary program of the host would, for as long as its stdin is open.

Says where everything is as one line of JSON. For each line on stdin it says, again as JSON, what was changed or visited
since it began. It must be started without capabilities, so that only its uid stands between it and another root.
"""
import ctypes, fcntl, json, os, resource, shutil, socket, struct, sys, tempfile

secret = os.environ["BAIT_SECRET"].encode()
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.shmat.restype = ctypes.c_void_p
SEMGET, SEMCTL, MSGGET, MSGSND, MSGCTL, SHMGET, SHMCTL = 64, 66, 68, 69, 71, 29, 31
MQ_OPEN, MQ_UNLINK, ADD_KEY, KEYCTL = 240, 241, 248, 250
IPC_RMID, SETVAL, GETVAL, KEYCTL_SETPERM, KEYCTL_READ, KEYCTL_INVALIDATE = 0, 16, 12, 5, 11, 21
USER_KEYRING = -4


def call(number, *args):
    got = libc.syscall(ctypes.c_long(number), *args)
    if got == -1:
        raise OSError(ctypes.get_errno(), f"call {number}: {os.strerror(ctypes.get_errno())}")
    return got


def write(path, mode):
    with open(path, "wb") as file:
        file.write(secret)
    os.chmod(path, mode)
    return path


status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
pid, within = map(int, status["NSpid"].split())
# Not in /tmp: every cell has one of its own there, so that nothing could be shown with other layers left out.
folder = tempfile.mkdtemp(prefix="glovebox-bait-", dir="/var/tmp")
name = os.path.basename(folder)
os.chmod(folder, 0o755)
files = {
    "file": write(f"{folder}/secret", 0o644),
    "root_file": write(f"{folder}/root-only", 0o600),
    "shared_file": write(f"{folder}/shared", 0o666),
    "tmp_file": write(f"/tmp/{name}", 0o644),
    "posix_shm": write(f"/dev/shm/{name}", 0o666),
}
open_folder = f"{folder}/open"
os.mkdir(open_folder)
os.chmod(open_folder, 0o777)
held = open(files["root_file"], "rb")
locked = open(files["shared_file"], "r+b")
fcntl.flock(locked, fcntl.LOCK_EX)
# The file's lock, not the process's: the table shows it in every pid namespace.
fcntl.fcntl(locked, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))


def listen(family, address):
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    listener.setblocking(False)
    return listener


listeners = {
    "port": listen(socket.AF_INET, ("127.0.0.1", 0)),
    "abstract": listen(socket.AF_UNIX, f"\0{name}"),
    "socket": listen(socket.AF_UNIX, f"{folder}/socket"),
}
os.chmod(f"{folder}/socket", 0o666)

memory = ctypes.create_string_buffer(secret)
shm = call(SHMGET, pid, 4096, 0o1666)
segment = libc.shmat(shm, None, 0)
ctypes.memmove(segment, secret, len(secret))
semaphore = call(SEMGET, pid, 1, 0o1666)
call(SEMCTL, semaphore, 0, SETVAL, 7)
queue = call(MSGGET, pid, 0o1666)
call(MSGSND, queue, (1).to_bytes(8, "little") + secret, len(secret), 0)
os.close(call(MQ_OPEN, name.encode(), os.O_CREAT | os.O_RDWR, 0o666, None))
key = call(ADD_KEY, b"user", name.encode(), secret, len(secret), USER_KEYRING)
call(KEYCTL, KEYCTL_SETPERM, key, 0x3F3F3F3F)

print(json.dumps({
    **files, "pid": pid, "pid_within": within, "name": name, "address": ctypes.addressof(memory), "length": len(secret),
    "folder": folder, "open_folder": open_folder, "fd": held.fileno(), "inode": os.fstat(locked.fileno()).st_ino, "port": listeners["port"].getsockname()[1],
    "socket": f"{folder}/socket", "shm": shm, "semaphore": semaphore, "queue": queue, "key": key,
    "hostname": socket.gethostname(),
}), flush=True)


def queued():
    rows = map(str.split, open("/proc/sysvipc/msg").read().splitlines())
    return next((row[4] for row in rows if row[1] == str(queue)), None)


def state():
    """All that a job could have changed."""
    contents = {path: open(path, "rb").read() == secret for path in files.values()}
    read = ctypes.create_string_buffer(256)
    return {
        **contents,
        "folders": [sorted(os.listdir(folder)), os.listdir(open_folder)],
        "memory": memory.value == secret, "segment": ctypes.string_at(segment, len(secret)) == secret,
        "semaphore": call(SEMCTL, semaphore, 0, GETVAL), "queued": queued(),
        "key": call(KEYCTL, KEYCTL_READ, key, read, 256) == len(secret) and read.value == secret,
        "limits": resource.getrlimit(resource.RLIMIT_CPU), "nice": os.nice(0), "cpus": len(os.sched_getaffinity(0)),
        "oom": open("/proc/self/oom_score_adj").read(),
    }


def visitors():
    for kind, listener in listeners.items():
        try:
            listener.accept()
            yield f"a connection to the {kind}"
        except BlockingIOError:
            pass


before = state()
try:
    for _ in sys.stdin:
        now = state()
        changed = [f"{what}: {before[what]} became {now[what]}" for what in now if now[what] != before[what]]
        print(json.dumps(changed + list(visitors())), flush=True)
finally:
    call(SHMCTL, shm, IPC_RMID, 0)
    call(SEMCTL, semaphore, 0, IPC_RMID, 0)
    call(MSGCTL, queue, IPC_RMID, 0)
    call(MQ_UNLINK, name.encode())
    call(KEYCTL, KEYCTL_INVALIDATE, key)
    os.unlink(files["tmp_file"])
    os.unlink(files["posix_shm"])
    shutil.rmtree(folder)
