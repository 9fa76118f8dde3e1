"""Runs in the guest of ops/vm-test: cells under cgroup version 2, as root and as an ordinary user."""

import json
import os
import shutil
import signal
import subprocess
import traceback

CGROUPS = "/sys/fs/cgroup"
USER = 1234
GLOVEBOX = "/tmp/glovebox"

JOBS = [
    ("hello", "print('hi')", {}, ("succeeded", None)),
    ("exit code", "raise SystemExit(3)", {}, ("failed", None)),
    ("endless loop", "while True: pass", {"cpu_ms": 500}, ("limit_exceeded", "cpu_time")),
    ("sleep", "import time; time.sleep(100)", {"wall_ms": 500}, ("limit_exceeded", "wall_time")),
    ("memory bomb", "x = []\nwhile True: x.append(bytearray(1 << 20))", {"memory_bytes": 64 << 20},
     ("limit_exceeded", "memory")),
    ("memory bomb in a child", "import os\nif os.fork() == 0:\n  x = []\n  while True: x.append(bytearray(1 << 20))\n"
     "os.wait()\nimport time; time.sleep(100)", {"memory_bytes": 64 << 20}, ("limit_exceeded", "memory")),
    ("fork bomb", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", {}, ("limit_exceeded", "processes")),
    ("full disk", "f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 16))", {"disk_bytes": 4 << 20},
     ("limit_exceeded", "disk")),
    ("forbidden call", "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)", {}, ("denied", None)),
    ("own cgroup is the root", "assert open('/proc/self/cgroup').read() == '0::/\\n'", {}, ("succeeded", None)),
]


def leftovers():
    return [path for path, _, _ in os.walk(CGROUPS) if "/glovebox." in path]


def run(prefix, name, code, limits, expected):
    job = {"id": "vm", "language": "python", "code": code, "limits": limits}
    done = subprocess.run(prefix + [GLOVEBOX, "run", "--job", "-", "--json"], input=json.dumps(job), text=True,
                          capture_output=True, timeout=120)
    try:
        result = json.loads(done.stdout)
        got = (result["status"], result["limit"])
        used = result["usage"]
        counted = used["cpu_user_ms"] + used["cpu_system_ms"] > 0 and used["memory_peak_bytes"] > 0
    except (ValueError, TypeError):
        result, got, counted = done.stdout + done.stderr, None, False
    passed = got == expected and counted and not leftovers()
    print(f"{'ok' if passed else 'FAILED'}: {name}: {got}", "" if passed else (result, leftovers()))
    return passed


def as_user():
    """A command prefix: an ordinary user in a cgroup of its own, as a delegated scope is."""
    group = f"{CGROUPS}/delegated"
    os.mkdir(group)
    for path in (group, f"{group}/cgroup.procs", f"{group}/cgroup.subtree_control", f"{group}/cgroup.threads"):
        os.chown(path, USER, USER)
    enter = f"echo $$ > {group}/cgroup.procs && exec setpriv --reuid={USER} --regid={USER} --clear-groups \"$@\""
    return ["sh", "-c", enter, "sh"]


def main():
    os.environ["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
    with open(f"{CGROUPS}/cgroup.subtree_control", "w") as control:
        control.write("+memory +pids +cpu")
    print("kernel", os.uname().release)
    passed = [run([], f"root: {name}", *rest) for name, *rest in JOBS]
    prefix = as_user()
    for name, *rest in JOBS:
        passed.append(run(prefix, f"user: {name}", *rest))
        # The user's processes were moved to a leaf; a scope would be a new one each time.
        leaf = f"{CGROUPS}/delegated/glovebox-supervisor"
        open(f"{CGROUPS}/delegated/cgroup.subtree_control", "w").write("-memory -pids -cpu")
        if os.path.isdir(leaf):
            os.rmdir(leaf)
    print(f"vm: {passed.count(True)} passed, {passed.count(False)} failed")


try:
    # The kernel hands what it does not know of its command line to process 1 as environment.
    shutil.copy(os.environ["glovebox"], GLOVEBOX)
    os.chmod(GLOVEBOX, 0o755)
    main()
except BaseException:
    traceback.print_exc()
finally:
    with open("/proc/sysrq-trigger", "w") as trigger:
        trigger.write("o")
    signal.pause()
