"""The ways in which a job is started here. Each gives a command's prefix, and knows what must be gone after it.

A way must never leave a unit or a cgroup behind, so that the next job finds the machine as it was.
"""

import configparser
import itertools
import os
import subprocess

CGROUPS = "/sys/fs/cgroup"
GLOVEBOX = "/srv/glovebox"
USER = 1234
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]
_numbers = itertools.count(1)


def groups():
    """Each cgroup's path with the controllers that it hands on."""
    found = {}
    for path, _, _ in os.walk(CGROUPS):
        try:
            with open(f"{path}/cgroup.subtree_control") as control:
                found[path] = control.read().strip()
        except OSError:
            pass
    return found


def hardened(unit):
    """Starts a command as the service that a production runner would be."""
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read("/srv/units/glovebox-runner.service")
    settings = [f"--property={key}={value}" for key, value in parser["Service"].items() if key != "ExecStart"]
    return ["systemd-run", "--wait", "--pipe", "--quiet", "--collect", f"--unit={unit}", *settings]


def scope(unit):
    """Starts a command in a scope of the user's own service manager."""
    manager = ["env", f"XDG_RUNTIME_DIR=/run/user/{USER}", "systemd-run", "--user"]
    return [*AS_USER, *manager, "--scope", "--quiet", "--collect", f"--unit={unit}", "--property=Delegate=yes"]


class Root:
    """Root without a cgroup of its own: the tree's root is used."""

    name = "root"
    at_once = os.cpu_count()

    def run(self, command, **options):
        return subprocess.run(command, text=True, capture_output=True, timeout=300, **options)


class Service(Root):
    """A hardened service with a delegated cgroup."""

    name = "service"

    def run(self, command, **options):
        return super().run([*hardened(f"cell-{next(_numbers)}"), *command], **options)


class User(Root):
    """An ordinary user in a delegated scope."""

    name = "user"

    def __init__(self):
        # What a login does, without a terminal.
        subprocess.run(["systemctl", "start", f"user@{USER}.service"], check=True)
        # The manager makes its slice with the first scope, and keeps it.
        self.run(["true"])

    def run(self, command, **options):
        unit = f"cell-{next(_numbers)}.scope"
        done = super().run([*scope(unit), *command], **options)
        # Comes back when the scope is gone; that it may be already is no error.
        stop = ["env", f"XDG_RUNTIME_DIR=/run/user/{USER}", "systemctl", "--user", "stop", unit]
        subprocess.run([*AS_USER, *stop], capture_output=True, check=False)
        return done


class Given(Root):
    """An ordinary user in a cgroup that somebody gave to it without systemd's mark."""

    name = "given"
    at_once = 1

    def run(self, command, **options):
        group = f"{CGROUPS}/given"
        with open(f"{CGROUPS}/cgroup.subtree_control", "w") as control:
            control.write("+memory +pids +cpu")
        os.mkdir(group)
        for path in (group, f"{group}/cgroup.procs", f"{group}/cgroup.subtree_control", f"{group}/cgroup.threads"):
            os.chown(path, USER, USER)
        enter = ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"]
        try:
            return super().run([*enter, *AS_USER, *command], **options)
        finally:
            leaf = f"{group}/glovebox-supervisor"
            if os.path.isdir(leaf):
                os.rmdir(leaf)
            os.rmdir(group)
