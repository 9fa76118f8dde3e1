"""What systemd asks of a service with a delegated cgroup: divide your own, and touch nothing else."""

import os
import subprocess

from checks import check
from ways import CGROUPS, GLOVEBOX, groups, hardened

UNIT = "runner.service"
OURS = f"{CGROUPS}/system.slice/{UNIT}"
WAITS = "print('here', flush=True)\nimport time\ntime.sleep(1000)\n"


def outside():
    return {path: control for path, control in groups().items() if not f"{path}/".startswith(f"{OURS}/")}


def processes():
    """All of ours that run, wherever they were moved to."""
    found = subprocess.run(["pgrep", "--list-full", "glovebox"], text=True, capture_output=True, check=False)
    return found.stdout


def stays_inside(how, end):
    """Runs a service until its job speaks, then ends it by the command that `end` gives for its process."""
    name = f"service, {how}"
    before = outside()
    service = subprocess.Popen([*hardened(UNIT), GLOVEBOX, "run", "/run/waits.py"], text=True, stdout=subprocess.PIPE)
    said = service.stdout.readline()
    during = outside()
    inside = sorted(path.removeprefix(OURS) for path in groups() if path.startswith(OURS))
    with open(f"{OURS}/cgroup.procs") as members:
        own = members.read()
    main = subprocess.run(["systemctl", "show", "--value", "--property=MainPID", UNIT], text=True,
                          capture_output=True, check=True)
    subprocess.run(end(main.stdout.strip()), check=True)
    service.wait(timeout=120)
    check(f"{name}: it came to run its job", said == "here\n", said)
    check(f"{name}: the cell is beneath the unit", any(path.endswith("/slot0") for path in inside) and not own, (inside, own))
    check(f"{name}: nothing else was changed", during == before, (before, during))
    left = (outside() != before, os.path.exists(OURS), processes())
    check(f"{name}: nothing is left", left == (False, False, ""), left)


def shared_by_a_shell(way):
    """Several runs beneath one shell, one after the other and two at once: the group is all of theirs."""
    once = f"{GLOVEBOX} run /run/hello.py"
    done = way.run(["sh", "-c", f"{once}; {once} & {once}; wait"])
    # Two at once write as they like: their lines may meet.
    check(f"{way.name}: a shell's runs share its cgroup", sorted(done.stdout) == sorted("hi\n" * 3), done)


def run(ways):
    with open("/run/waits.py", "w") as program:
        program.write(WAITS)
    with open("/run/hello.py", "w") as program:
        program.write("print('hi')\n")
    # Another service with all controllers: so systemd has no reason to switch one on or off meanwhile.
    subprocess.run(["systemd-run", "--quiet", "--unit=other", "--property=Delegate=yes", "sleep", "infinity"], check=True)
    stays_inside("stopped", lambda _: ["systemctl", "stop", UNIT])
    stays_inside("killed", lambda pid: ["kill", "-KILL", pid])
    for way in ways:
        shared_by_a_shell(way)
    subprocess.run(["systemctl", "stop", "other.service"], check=True)
