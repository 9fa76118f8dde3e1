"""Runs in the guest of ops/vm-test, as root under systemd: isolation under cgroup version 2, in several ways."""

import os
import sys
import time

import delegation
import jobs
import probes
import warm
from checks import attempt, verdict
from ways import Given, Root, Service, User

# What an emulated processor has the time for: what may differ with the kernel, with cgroups and with the way.
EMULATED_AREAS = {
    "root": ("cgroups", "mounts", "namespaces"),
    "service": ("cgroups",),
    "user": ("cgroups",),
}


def main():
    with open("/proc/cmdline") as line:
        emulated = "accel=tcg" in line.read()
    print("kernel", os.uname().release)
    root, service, user = ways = (Root(), Service(), User())
    for way in ways:
        attempt(f"{way.name}: jobs", jobs.run, way, jobs.JOBS)
    attempt("given: jobs", jobs.run, Given(), [job for job in jobs.JOBS if job[0] in ("hello", "no swap", "fork bomb")])
    # An ordinary user's Python starts cold: the cells of a template need ids of their own.
    for way, languages in ((root, ("python", "nodejs")), (service, ("python", "nodejs")), (user, ("nodejs",))):
        attempt(f"{way.name}: warm", warm.run, way, languages, emulated)
    attempt("delegation", delegation.run, (service, user))
    print(f"vm: {time.monotonic():.0f} s after the start: probes")
    for way in ways:
        areas = EMULATED_AREAS[way.name] if emulated else None
        attempt("probes", probes.run, way, "/srv/probes", probes.is_contained, areas)
    attempt("ordinary programs", probes.run, root, "/srv/ordinary", probes.works, None, 4 if emulated else 1)
    print(f"vm: {time.monotonic():.0f} s after the start: the end")


os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
try:
    main()
    verdict()
except BaseException as error:
    sys.exit(f"the tests broke off: {error!r}")
