"""Lists what an earlier cell of the same slot left, then leaves all it can itself."""
import os, socket, stat, subprocess, sys, time

found = []
for folder in ["/work", "/tmp", "/dev/shm"]:
    found += [f"{folder}/{name}" for name in os.listdir(folder) if name != "main.py"]
found += [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]
found += open("/proc/net/unix").read().splitlines()[1:]
found += [f"variable {name}" for name in os.environ if name.startswith("LEFT")]
for table in ["shm", "sem", "msg"]:
    found += open(f"/proc/sysvipc/{table}").read().splitlines()[1:]
print(found)
sys.stdout.flush()

for folder in ["/work", "/tmp", "/dev/shm"]:
    for name in ["left", ".hidden"]:
        open(f"{folder}/{name}", "w").write("secret")
os.environ["LEFT"] = "1"
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0left-behind")
abstract.listen()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(1000)
    os._exit(0)
os.wait()
