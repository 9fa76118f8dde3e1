"""Jobs with one outcome each, and the one way in which they are run."""

import json
from concurrent.futures import ThreadPoolExecutor

from checks import attempt, check
from ways import GLOVEBOX, groups

ENDLESS = "while True: pass"
BOMB = "x = []\nwhile True: x.append(bytearray(1 << 20))"
# Fits into memory and swap together, and not into memory.
MORE_THAN_MEMORY = "import os\nx = [os.urandom(1 << 20) for _ in range(96)]\nprint(len(x))"
FORKS = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"

# Through the gate and no further: the address is private.
GATE = "import os, urllib.request\ntry: urllib.request.urlopen('http://10.0.0.1/')\nexcept OSError as e: assert e.code == 403, e"

JOBS = [
    ("hello", "print('hi')", {}, "succeeded"),
    ("exit code", "raise SystemExit(3)", {}, "failed"),
    ("endless loop", ENDLESS, {"limits": {"cpu_ms": 500}}, "cpu_time"),
    ("sleep", "import time; time.sleep(100)", {"limits": {"wall_ms": 500}}, "wall_time"),
    ("memory bomb", BOMB, {"limits": {"memory_bytes": 64 << 20}}, "memory"),
    ("memory bomb in a child", f"import os, time\nif os.fork() == 0:\n  {BOMB.replace(chr(10), chr(10) + '  ')}\n"
     "os.wait()\ntime.sleep(100)", {"limits": {"memory_bytes": 64 << 20}}, "memory"),
    ("no swap", MORE_THAN_MEMORY, {"limits": {"memory_bytes": 64 << 20}}, "memory"),
    ("fork bomb", FORKS, {}, "processes"),
    ("full disk", "f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 16))", {"limits": {"disk_bytes": 4 << 20}}, "disk"),
    ("forbidden call", "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)", {}, "denied"),
    ("own cgroup is the root", "assert open('/proc/self/cgroup').read() == '0::/\\n'", {}, "succeeded"),
    ("gate", GATE, {"network": "proxy"}, "succeeded"),
    ("no cgroup to write", "import os; assert not os.path.exists('/sys/fs/cgroup')", {}, "succeeded"),
]


def result_of(way, job):
    """The result document, or what was said instead of one."""
    document = json.dumps({"id": "vm", "language": "python", **job})
    done = way.run([GLOVEBOX, "run", "--job", "-", "--json"], input=document)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"status": None, "stderr": done.stdout + done.stderr}


def brief(result):
    """What of a result tells why it is not the one that was expected."""
    wanted = ("status", "limit", "exit_code", "denied", "error", "stdout", "stderr", "usage")
    return {key: value[-600:] if isinstance(value, str) else value for key, value in result.items() if key in wanted}


def one(way, name, code, fields, expected):
    result = result_of(way, {"code": code, **fields})
    got = result.get("limit") or result["status"]
    used = result.get("usage") or {"cpu_user_ms": 0, "cpu_system_ms": 0, "memory_peak_bytes": 0}
    counted = used["cpu_user_ms"] + used["cpu_system_ms"] > 0 and used["memory_peak_bytes"] > 0
    check(f"{way.name}: {name}: {got}", got == expected and counted, brief(result))


def run(way, jobs):
    """Runs the jobs, as many at a time as the way allows; after the last of them no cgroup is left."""
    before = set(groups())
    with ThreadPoolExecutor(way.at_once) as pool:
        list(pool.map(lambda job: attempt(f"{way.name}: {job[0]}", one, way, *job), jobs))
    left = set(groups()) - before
    check(f"{way.name}: no cgroup is left", not left, left)
