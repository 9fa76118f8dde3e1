"""Tells all that `soils.py` could have changed for it."""
import builtins, collections, gc, json, os, re, resource, signal, sys, threading

print(json.dumps([1]), hasattr(json, "SOILED"), hasattr(builtins, "SOILED"), sys.path, "soiled_module" in sys.modules)
print(sys.getrecursionlimit(), collections.OrderedDict, "SOILED" in os.environ, os.getenv("SOILED"), oct(os.umask(0)), os.getcwd())
print(signal.getsignal(signal.SIGUSR1), signal.pthread_sigmask(signal.SIG_BLOCK, []), resource.getrlimit(resource.RLIMIT_NOFILE))
print(gc.isenabled(), gc.get_threshold(), os.getpriority(os.PRIO_PROCESS, 0), sum([100, 100]), threading.active_count())
for folder in "/work", "/tmp", "/dev/shm":
    print(folder, sorted(os.listdir(folder)))
print(open("/proc/net/unix").read().count("SOILED"), sorted(os.listdir("/proc/self/fd")), [name for name in os.listdir("/proc") if name.isdigit()])
print([line for table in ("shm", "sem", "msg") for line in open(f"/proc/sysvipc/{table}").read().splitlines()[1:]])
print(open("/proc/self/cgroup").read())
