"""Tells what a program can see and do in its cell, as one line of JSON. Asserts nothing itself.

The argument names a section; looking at everything at once takes a second.
"""
import errno, fcntl, json, os, resource, signal, socket, stat, subprocess, sys

facts = {}


def attempt(action):
    """What came of it: its value, or the name of the error."""
    try:
        return action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def status(pid="self"):
    lines = open(f"/proc/{pid}/status").read().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


mine = status()


def can_make(folder):
    name = f"{folder}/.probe"
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.unlink(name)
        return True
    except OSError:
        return False


def can_write(path):
    # Appending nothing: the open alone is what is asked.
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK))
        return True
    except OSError:
        return False


section = sys.argv[1]

if section == "self":
    facts["fds"] = sorted(os.listdir("/proc/self/fd"), key=int)
    facts["fd_kinds"] = [os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in range(3)]
    facts["environ"] = dict(os.environ)
    facts["uids"] = [*os.getresuid(), *os.getresgid()]
    facts["groups"] = os.getgroups()
    facts["capabilities"] = [mine[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    facts["no_new_privs"] = mine["NoNewPrivs"]
    facts["seccomp"] = [mine["Seccomp"], mine["Seccomp_filters"]]
    facts["namespace_pids"] = mine["NSpid"].split()
    facts["pid"] = os.getpid()
    facts["parent"] = os.getppid()
    facts["session"] = os.getsid(0)
    facts["pids"] = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    facts["init"] = {
        "stat": attempt(lambda: os.stat("/proc/1").st_uid),
        "environ": attempt(lambda: open("/proc/1/environ").read()),
        "mem": attempt(lambda: open("/proc/1/mem", "rb").read(1)),
        "root": attempt(lambda: os.listdir("/proc/1/root")),
        "cwd": attempt(lambda: os.listdir("/proc/1/cwd")),
        "fd": attempt(lambda: os.listdir("/proc/1/fd")),
        "maps": attempt(lambda: open("/proc/1/maps").read()),
        "namespaces": attempt(lambda: os.readlink("/proc/1/ns/mnt")),
    }
    facts["kill"] = [
        attempt(lambda number=number: os.kill(1, number)) for number in (0, signal.SIGTERM, signal.SIGKILL)
    ]
    facts["kill_all"] = attempt(lambda: os.kill(-1, signal.SIGKILL))
    facts["pidfd_init"] = attempt(lambda: signal.pidfd_send_signal(os.pidfd_open(1), signal.SIGKILL))
    facts["set_limit_of_init"] = attempt(lambda: resource.prlimit(1, resource.RLIMIT_CPU, (1, 1)))
    facts["cwd"] = os.getcwd()
    facts["umask"] = oct(os.umask(0o022))
    facts["cgroups"] = sorted({line.split(":", 2)[2] for line in open("/proc/self/cgroup").read().splitlines()})
    facts["tty"] = attempt(lambda: os.open("/dev/tty", os.O_RDWR))
    facts["user"] = open("/etc/passwd").read()
    facts["signals"] = [mine[name] for name in ("SigBlk", "SigPnd", "ShdPnd")]
    # 32 and 33 are the C library's own: posix_spawn leaves them ignored, and nothing can set them back.
    facts["ignored"] = [n for n in range(1, 65) if n not in (32, 33) and int(mine["SigIgn"], 16) >> n - 1 & 1]
    facts["limits"] = {
        name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
        for name in ("CORE", "NOFILE", "FSIZE", "MEMLOCK", "MSGQUEUE", "CPU")
    }
    facts["raise_limit"] = attempt(lambda: resource.prlimit(0, resource.RLIMIT_NOFILE, (4096, 4096)))
    facts["nice"] = attempt(lambda: os.setpriority(os.PRIO_PROCESS, 0, -1))
    facts["keys"] = attempt(lambda: open("/proc/keys").read())

if section == "files":
    listing = lambda path: attempt(lambda: sorted(os.listdir(path)))
    facts["root"] = listing("/")
    facts["etc"] = listing("/etc")
    facts["dev"] = listing("/dev")
    facts["usr"] = listing("/usr")
    facts["own"] = {path: listing(path) for path in ("/work", "/tmp", "/dev/shm")}
    facts["absent"] = {
        path: attempt(lambda path=path: bool(os.lstat(path)))
        for path in (
            "/etc/shadow", "/etc/hostname", "/etc/resolv.conf", "/etc/machine-id", "/etc/ssl", "/root", "/home", "/sys",
            "/var", "/run", "/boot", "/opt", "/mnt", "/srv", "/media", "/usr/local/bin", "/usr/sbin", "/usr/include",
            "/dev/kmsg", "/dev/mem", "/dev/tty", "/dev/ptmx", "/dev/fuse", "/dev/kvm", "/dev/mqueue", "/dev/console",
        )
    }

if section == "walk":
    writable_folders, writable_files = [], []
    for top in sorted(os.listdir("/")):
        for folder, folders, files in os.walk(f"/{top}"):
            if folder.startswith("/proc/") and folder.count("/") == 2 and folder[6:].isdigit():
                if folder[6:] != str(os.getpid()):
                    folders.clear()
                    continue
            if can_make(folder):
                writable_folders.append(folder)
            for name in files:
                path = f"{folder}/{name}"
                if os.path.islink(path):
                    continue
                if can_write(path):
                    writable_files.append(path)
    if can_make("/"):
        writable_folders.append("/")
    facts["writable_folders"] = writable_folders
    facts["writable_files"] = sorted(writable_files)
    facts["remove"] = attempt(lambda: os.unlink("/usr/bin/env"))
    facts["rename"] = attempt(lambda: os.rename("/etc/passwd", "/etc/other"))
    facts["chmod"] = attempt(lambda: os.chmod("/usr/bin/env", 0o777))
    facts["hard_link_out"] = attempt(lambda: os.link("/etc/passwd", "/work/passwd"))
    facts["remount_targets"] = [
        line.split()[4] + " " + line.split()[5].replace(",relatime", "")
        for line in open("/proc/self/mountinfo").read().splitlines()
        if "ro" not in line.split()[5].split(",")
    ]
    facts["mounts_without_nosuid"] = [
        line.split()[4]
        for line in open("/proc/self/mountinfo").read().splitlines()
        if "nosuid" not in line.split()[5].split(",")
    ]
    facts["kernel"] = {
        path: attempt(lambda path=path: len(open(path, "rb").read(64)))
        for path in ("/proc/kcore", "/proc/kmsg", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
                     "/proc/1/environ", "/proc/kallsyms", "/proc/slabinfo", "/proc/vmallocinfo")
    }

if section == "programs":
    # The loader tells ids and AT_SECURE of a program that gained nothing, and nothing of one that did.
    facts["setuid"] = {}
    for folder in ("/usr/bin", "/usr/lib"):
        for name in sorted(os.listdir(folder)):
            path = f"{folder}/{name}"
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID) and os.access(path, os.X_OK):
                shown = subprocess.run(
                    [path, "--help"], env={"LD_SHOW_AUXV": "1"}, stdin=subprocess.DEVNULL, capture_output=True, text=True
                ).stdout
                pairs = dict(line.split(":", 1) for line in shown.splitlines() if line.startswith("AT_"))
                names = ("AT_UID", "AT_EUID", "AT_GID", "AT_EGID", "AT_SECURE")
                facts["setuid"][path] = [pairs.get(name, "?").strip() for name in names]
    machine_code = open("/usr/bin/true", "rb").read()
    facts["exec"] = {}
    for folder in ("/work", "/tmp", "/dev/shm"):
        path = f"{folder}/true"
        with open(path, "wb") as file:
            file.write(machine_code)
        os.chmod(path, 0o4755)
        facts["exec"][folder] = attempt(lambda: subprocess.run([path]).returncode)
        mode = os.stat(path).st_mode
        # Through the loader, which maps it as code.
        loader = subprocess.run(["/lib64/ld-linux-x86-64.so.2", path], capture_output=True)
        facts["exec"][f"{folder} by the loader"] = loader.returncode != 0
        os.unlink(path)

if section == "network":
    facts["interfaces"] = [
        line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]
    ]
    facts["addresses"] = attempt(lambda: open("/proc/net/fib_trie").read())
    facts["addresses6"] = attempt(lambda: open("/proc/net/if_inet6").read())
    facts["routes"] = attempt(lambda: open("/proc/net/route").read().splitlines()[1:])
    facts["hostname"] = [socket.gethostname(), os.uname().nodename]
    facts["unix_sockets"] = attempt(lambda: open("/proc/net/unix").read().splitlines()[1:])
    facts["sysvipc"] = [
        len(open(f"/proc/sysvipc/{table}").read().splitlines()) - 1 for table in ("shm", "sem", "msg")
    ]

if section == "landlock":
    # Landlock has no sign of its own, but refuses an ioctl on a device that is otherwise answered.
    null = os.open("/dev/null", os.O_RDWR)
    TCGETS = 0x5401
    facts["device_ioctl"] = attempt(lambda: fcntl.ioctl(null, TCGETS, b"\0" * 64))

print(json.dumps(facts))
