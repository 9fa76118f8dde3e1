"""Jobs whose interpreter was kept warm: they end as those that start cold, and their limits are their own.

What was kept for a job is in the group of its slot before the job is: under version 2 that is the point of it all.
"""

import json

from checks import attempt, check
from jobs import JOBS, brief
from ways import groups

# The tests' own binary: one job a line on stdin, and for each its result and whether it was warm.
WARM = "/srv/warm"

CGROUP = "require('assert').equal(require('fs').readFileSync('/proc/self/cgroup', 'utf8'), '0::/\\n')"
NODE = [
    ("hello", "console.log('hi')", {}, "succeeded"),
    ("exit code", "process.exit(3)", {}, "failed"),
    ("endless loop", "for (;;);", {"limits": {"cpu_ms": 1000}}, "cpu_time"),
    ("memory bomb", "const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1))", {"limits": {"memory_bytes": 128 << 20}}, "memory"),
    ("own cgroup is the root", CGROUP, {}, "succeeded"),
]
# What an emulated processor has the time for.
EMULATED = ("hello", "memory bomb", "own cgroup is the root")
# One with a network starts cold.
LANGUAGES = {"python": [job for job in JOBS if "network" not in job[2]], "nodejs": NODE}


def results_of(way, language, jobs, most):
    documents = [
        {"id": "vm", "language": language, "code": code, **fields, "limits": {**most, **fields.get("limits", {})}}
        for _, code, fields, _ in jobs
    ]
    lines = "".join(f"{json.dumps(document)}\n" for document in documents)
    done = way.run(["env", f"WARM_LANGUAGE={language}", "WARM_SLOTS=2", WARM], input=lines)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(jobs), (done.stdout, done.stderr)
    return answers, done.stderr


def language(way, name, emulated):
    chosen = [job for job in LANGUAGES[name] if not emulated or job[0] in EMULATED]
    # What comes after a job that was ended by force is to find the slot as it should be.
    jobs = [job for each in chosen for job in (each, chosen[0])]
    most = {"wall_ms": 60_000, "cpu_ms": 60_000} if emulated else {}
    warm = 0
    answers, told = results_of(way, name, jobs, most)
    for (job, _, _, expected), answer in zip(jobs, answers):
        result = answer["result"]
        got = result.get("limit") or result["status"]
        used = result["usage"]
        counted = used["cpu_user_ms"] + used["cpu_system_ms"] > 0 and used["memory_peak_bytes"] > 0
        how = "warm" if answer["warm"] else "cold"
        check(f"{way.name}: {name}, {how}: {job}: {got}", got == expected and counted, brief(result))
        warm += answer["warm"]
    # An emulated processor may take longer than a job waits: for all but the first fork, and for any Node.
    least = {"python": 1, "nodejs": 0}[name] if emulated else len(jobs)
    check(f"{way.name}: {name}: {warm} of {len(jobs)} were warm", warm >= least, told)


def run(way, languages, emulated):
    before = set(groups())
    for name in languages:
        attempt(f"{way.name}: {name}, warm", language, way, name, emulated)
    left = set(groups()) - before
    check(f"{way.name}: no cgroup of what was warm is left", not left, left)
