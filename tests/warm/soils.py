"""Soils whatever it can reach: its own interpreter first of all."""
import builtins, collections, ctypes, gc, json, math, os, random, re, resource, signal, socket, sys, threading, time, typing

json.dumps = lambda *a, **k: "SOILED"
json.SOILED = 1
builtins.SOILED = 1
sys.path.append("/SOILED")
sys.modules["soiled_module"] = sys
sys.setrecursionlimit(500)
sys.set_int_max_str_digits(1000) if hasattr(sys, "set_int_max_str_digits") else None
random.seed(1)
collections.OrderedDict = None
re.compile("SOILED")
os.environ["SOILED"] = "1"
os.putenv("SOILED", "1")
os.umask(0)
os.chdir("/tmp")
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
gc.disable(); gc.set_threshold(1)
os.nice(5)
# The interpreter's own memory, which is the template's until it is written to: a small number, and the data of the library that
# started it.
number = ctypes.c_long.from_address(id(200) + 24)
number.value = 7
for line in open("/proc/self/maps"):
    if "memfd:" in line and "rw-p" in line:
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        ctypes.memset(start, 0xff, min(64, end - start))
for folder in "/work", "/tmp", "/dev/shm":
    open(folder + "/SOILED", "w").write("SOILED")
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0SOILED")
for fd in range(3, 64):
    try:
        os.write(fd, b"SOILED")
    except OSError:
        pass
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
held = bytearray(b"x") * (100 << 20)
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
os.write(1, b"soiled\n")
os._exit(0)
