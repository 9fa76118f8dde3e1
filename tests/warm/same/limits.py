# job: {"limits": {"memory_bytes": 67108864, "disk_bytes": 1048576, "processes": 5}}
import os, resource
for name in sorted(dir(resource)):
    if name.startswith("RLIMIT_"):
        print(name, resource.getrlimit(getattr(resource, name)))
for path in "/work", "/tmp", "/dev/shm":
    fs = os.statvfs(path)
    print(path, fs.f_blocks * fs.f_frsize, fs.f_files)
print(os.getuid() == os.geteuid() > 1000, os.getgroups(), open("/proc/self/oom_score_adj").read(), os.getpriority(os.PRIO_PROCESS, 0))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print([status[key].strip() for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "SigCgt", "Threads")])
print(open("/proc/self/cgroup").read(), open("/proc/self/loginuid").read() if os.path.exists("/proc/self/loginuid") else "")
print(sorted(entry for entry in os.listdir("/proc") if entry.isdigit()).__len__())
