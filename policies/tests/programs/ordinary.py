"""What ordinary Python programs do. Each function is one habit; every one has to work and none may be refused anything."""

import sys
import traceback

HABITS = []


def habit(function):
    HABITS.append(function)
    return function


@habit
def threads():
    import concurrent.futures, queue, threading
    box = queue.Queue()
    workers = [threading.Thread(target=lambda: box.put(threading.get_ident())) for _ in range(5)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert box.qsize() == 5
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda x: x * x, range(10))) == 285
    event = threading.Event()
    assert not event.wait(0.01)


def square(x):
    return x * x


def put(box, value):
    box.put(value)


@habit
def processes():
    import concurrent.futures, multiprocessing
    box = multiprocessing.Queue()
    child = multiprocessing.Process(target=put, args=(box, 7))
    child.start()
    assert box.get() == 7
    child.join()
    with multiprocessing.Pool(2) as pool:
        assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(square, range(3))) == [0, 1, 4]
    for way in ("spawn", "forkserver"):
        context = multiprocessing.get_context(way)
        child = context.Process(target=square, args=(2,))
        child.start()
        child.join()
        assert child.exitcode == 0, way
    with multiprocessing.Manager() as manager:
        shared = manager.dict(a=1)
        assert shared["a"] == 1
    value = multiprocessing.Value("i", 3)
    with value.get_lock():
        value.value += 1
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(create=True, size=4096)
    memory.buf[0] = 5
    memory.close()
    memory.unlink()


@habit
def asynchronous():
    import asyncio

    async def work():
        await asyncio.sleep(0.01)
        child = await asyncio.create_subprocess_exec("/bin/echo", "hello", stdout=asyncio.subprocess.PIPE)
        out, _ = await child.communicate()
        assert out == b"hello\n"
        assert await asyncio.to_thread(square, 3) == 9
        server = await asyncio.start_unix_server(lambda r, w: w.close(), path="async.sock")
        reader, writer = await asyncio.open_unix_connection("async.sock")
        await reader.read()
        writer.close()
        server.close()
        await asyncio.wait_for(asyncio.sleep(0), 1)
        asyncio.get_running_loop().add_signal_handler(10, lambda: None)

    asyncio.run(work())


@habit
def subprocesses():
    import os, subprocess
    assert subprocess.run(["/bin/ls", "-la", "/usr/bin/env"], capture_output=True, check=True).stdout
    script = "echo hi | cat; ls >l; cp l m; mv m n; mkdir -p d/e; ln -s n o; touch p; rm -r d; sort n | uniq -c | head -2; sleep 0.01; date; id; test -f n && wc n; grep -r h . | sed s/a/b/ | awk '{print $1}'; tar cf t.tar n; gzip t.tar; find . -name n; mktemp; chmod 600 n; cp -a n q; stat n; df . ; du . ; mkfifo f; nproc; uname -a; env; seq 3 | xargs echo; dd if=/dev/zero of=z bs=1k count=4 2>/dev/null; timeout 1 true; nice true; md5sum n; tail -c 3 n"
    done = subprocess.run(script, shell=True, capture_output=True, text=True)
    assert "hi" in done.stdout and not done.stderr, done.stderr
    assert os.system("true") == 0
    assert os.popen("echo x").read() == "x\n"
    assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, start_new_session=True).stdout == b"1\n"
    child = subprocess.Popen(["/bin/sleep", "10"], process_group=0)
    child.terminate()
    assert child.wait() == -15
    try:
        subprocess.run(["/bin/sleep", "10"], timeout=0.05)
    except subprocess.TimeoutExpired:
        pass
    os.posix_spawn("/bin/true", ["true"], os.environ)
    os.wait()


@habit
def forks():
    import os
    pid = os.fork()
    if pid == 0:
        os.nice(1)
        os._exit(3)
    descriptor = os.pidfd_open(pid)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.close(descriptor)
    os.getpgid(0), os.getsid(0), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0), os.cpu_count()
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.sched_getscheduler(0), os.sched_getparam(0), os.getloadavg(), os.times(), os.getgroups()


@habit
def files():
    import fcntl, glob, mmap, os, pathlib, shutil, stat, tempfile
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as named, tempfile.TemporaryFile() as nameless:
        path = pathlib.Path(folder) / "a"
        path.write_text("hello")
        shutil.copy2(path, path.with_name("b"))
        for source in ("/usr/bin/env", path):       # from another file system, and to one
            for target in (folder + "/copy", "/dev/shm/glovebox-copy"):
                shutil.copyfile(source, target)
                assert pathlib.Path(source).read_bytes() == pathlib.Path(target).read_bytes()
                os.unlink(target)
        shutil.copytree(folder, folder + "2")
        shutil.move(folder + "2", folder + "3")
        shutil.rmtree(folder + "3")
        shutil.make_archive(folder + "/c", "zip", folder)
        os.link(path, folder + "/l"), os.symlink(path, folder + "/s"), os.readlink(folder + "/s")
        os.chmod(path, 0o600), os.utime(path, (1, 2)), os.truncate(path, 3), os.chown(path, os.getuid(), os.getgid())
        os.mkfifo(folder + "/fifo")
        assert stat.S_ISFIFO(os.stat(folder + "/fifo").st_mode)
        os.unlink(folder + "/fifo")
        list(os.walk(folder)), list(os.scandir(folder)), glob.glob(folder + "/*"), os.statvfs(folder), shutil.disk_usage(folder)
        os.listxattr(path)
        with open(path, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX), os.fsync(file.fileno()), os.fdatasync(file.fileno())
            os.posix_fallocate(file.fileno(), 0, 8192), os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            with mmap.mmap(file.fileno(), 0) as memory:
                memory[0] = 1
                memory.flush(), memory.madvise(mmap.MADV_DONTNEED), memory.resize(16384)
            os.pwrite(file.fileno(), b"x", 3), os.pread(file.fileno(), 1, 3), os.preadv(file.fileno(), [bytearray(2)], 0)
            os.copy_file_range(file.fileno(), nameless.fileno(), 4, 0)
        os.chdir(folder), os.getcwd(), os.umask(0o22), os.replace("b", "d")
        folder_fd = os.open(".", os.O_RDONLY)
        os.stat("a", dir_fd=folder_fd), os.mkdir("m", dir_fd=folder_fd), os.rmdir("m", dir_fd=folder_fd), os.fchdir(folder_fd)
        os.close(folder_fd)
        os.chdir(home)
    memory = os.memfd_create("m")
    pipe, _ = os.pipe()
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 8192), fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ), fcntl.fcntl(pipe, fcntl.F_DUPFD_CLOEXEC, 50)
    fcntl.fcntl(memory, fcntl.F_GETFL), fcntl.fcntl(memory, fcntl.F_DUPFD, 60), fcntl.fcntl(memory, 1034)
    os.write(memory, b"x"), os.lseek(memory, 0, 0), os.get_inheritable(memory), os.set_blocking(memory, False), os.isatty(memory)


@habit
def waiting():
    import os, select, selectors, signal, socket, time
    one, other = socket.socketpair()
    poll = select.poll()
    poll.register(one)
    poll.poll(1), select.select([one], [], [], 0.001)
    with select.epoll() as epoll:
        epoll.register(one), epoll.poll(0.001)
    selectors.DefaultSelector().close()
    other.sendall(b"x"), one.setblocking(False), one.recv(1), one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    os.eventfd(0)
    signal.signal(signal.SIGALRM, lambda *_: None), signal.setitimer(signal.ITIMER_REAL, 0.01), signal.pause()
    signal.alarm(0), signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending(), signal.sigtimedwait([10], 0.001)
    signal.raise_signal(signal.SIGCONT), os.kill(os.getpid(), 0), signal.siginterrupt(10, False)
    time.sleep(0.001), time.monotonic_ns(), time.process_time(), time.thread_time(), time.get_clock_info("time"), time.perf_counter()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        name = f"s{kind}"
        local = socket.socket(socket.AF_UNIX, kind)
        local.bind(name), local.getsockname()
        if kind == socket.SOCK_STREAM:
            local.listen()
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(name)
            end, _ = local.accept()
            socket.send_fds(end, [b"f"], [0]), socket.recv_fds(peer, 1, 1), peer.shutdown(socket.SHUT_RDWR), end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED)
        local.close()
    os.close(os.dup(0)), os.dup2(1, 9), os.closerange(9, 12), os.pipe2(0)


@habit
def library():
    import ctypes, datetime, decimal, faulthandler, fractions, getpass, gzip, hashlib, json, locale, logging, lzma, bz2, platform
    import random, re, resource, secrets, sqlite3, ssl, statistics, sysconfig, unicodedata, uuid, venv, zipfile, zlib, zoneinfo, gc, tracemalloc
    with sqlite3.connect("test.db") as database:
        database.execute("pragma journal_mode=wal"), database.execute("create table t(x)"), database.execute("insert into t values (1)")
    for mode in ("delete", "wal"):                      # two connections: the second waits for the first one's lock
        with sqlite3.connect(mode + ".db", timeout=0) as one, sqlite3.connect(mode + ".db", timeout=0) as other:
            one.execute(f"pragma journal_mode={mode}"), one.execute("create table t(x)"), one.commit()
            one.execute("begin immediate")
            try:
                other.execute("begin immediate")
            except sqlite3.OperationalError as locked:
                assert "locked" in str(locked)
            else:
                raise AssertionError("no lock")
            one.execute("insert into t values (1)"), one.commit()
            assert list(other.execute("select x from t")) == [(1,)]
    assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
    assert zoneinfo.ZoneInfo("Europe/Berlin").utcoffset(datetime.datetime(2024, 7, 1)).seconds == 7200
    locale.setlocale(locale.LC_ALL, ""), datetime.datetime.now().astimezone(), platform.platform(), platform.processor()
    hashlib.sha256(b"x"), hashlib.scrypt(b"a", salt=b"b", n=16, r=1, p=1), zlib.compress(b"x"), lzma.compress(b"x"), bz2.compress(b"x"), gzip.compress(b"x")
    random.SystemRandom().random(), secrets.token_hex(), uuid.uuid4(), decimal.Decimal(1) / 3, json.dumps({}), getpass.getuser()
    resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE), resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)), resource.prlimit(0, resource.RLIMIT_STACK), resource.getrusage(resource.RUSAGE_CHILDREN)
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda a, b: 0)
    ctypes.CDLL(None).qsort((ctypes.c_int * 4)(3, 2, 1), 4, 4, call)
    faulthandler.enable(), faulthandler.dump_traceback_later(5), faulthandler.cancel_dump_traceback_later()
    logging.warning("x"), tracemalloc.start(), gc.collect(), bytearray(64 << 20)
    try:
        import numpy
        assert (numpy.ones((200, 200)) @ numpy.ones((200, 200)))[0, 0] == 200
    except ModuleNotFoundError:
        pass


def main():
    failed = []
    for function in HABITS:
        try:
            function()
        except Exception:
            traceback.print_exc()
            failed.append(function.__name__)
    print("failed:", failed)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
