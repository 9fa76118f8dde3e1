"""The programs of tests/probes, which must not get out, and of tests/ordinary, which must work.

Those that need something of the harness on the host (`bait`) are left to it.
"""

import glob
import os
import re
from concurrent.futures import ThreadPoolExecutor

from checks import attempt, check
from jobs import brief, result_of

LANGUAGES = {".py": "python", ".js": "nodejs"}
# What only a newer kernel than the guest's holds: Landlock knows ioctls of devices since Linux 6.10.
SINCE = {"devices/control.py": (6, 10)}


def programs(folder):
    """Path and text of each; the files directly in `folder` are what they share."""
    found = sorted(path for path in glob.glob(f"{folder}/**", recursive=True) if path[-3:] in LANGUAGES)
    return [(path, open(path).read()) for path in found]


def job(path, text, shared):
    files = [{"path": os.path.basename(other), "content": content} for other, content in shared]
    return {"language": LANGUAGES[path[-3:]], "code": text, "files": files}


def needs_bait(text):
    return re.search(r"\bbait\b", text, re.IGNORECASE) is not None


def is_contained(result, text):
    """A header line says when the word CONTAINED is not what comes, or not all that must."""
    header = re.search(r"^(?:#|//) expect: (denied|refused|limit) (.*)$", text, re.MULTILINE)
    kind, names = (header[1], header[2].split()) if header else (None, [])
    if kind == "limit":
        return result["limit"] in names
    named = {denied["syscall"] for denied in result["denied"]}
    if not named.issuperset(names):
        return False
    last = result["stdout"].rstrip("\n").rpartition("\n")[2]
    return result["status"] == "denied" if kind == "denied" else last.startswith("CONTAINED")


def works(result, _text):
    return result["status"] == "succeeded" and not result["denied"] and not result["stderr"]


def run(way, folder, judge, areas=None, every=1):
    """Runs those in `areas` if there are any, and of these one in `every`; says what it left out."""
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    texts = programs(folder)
    shared = [each for each in texts if "probes" in folder and os.path.dirname(each[0]) == folder]
    own = [(path, text) for path, text in texts if (path, text) not in shared]
    baited = [path for path, text in own if needs_bait(text)]
    older = [path for path, _ in own if SINCE.get(os.path.relpath(path, folder), release) > release]
    chosen = [(path, text) for path, text in own if path not in baited + older]
    if areas:
        chosen = [(path, text) for path, text in chosen if os.path.relpath(path, folder).split("/")[0] in areas]
    chosen = chosen[::every]
    print(f"vm: {way.name}: {folder}: {len(chosen)} of {len(own)}; {len(baited)} need bait, {len(older)} a newer kernel"
          + (f"; only {', '.join(areas)}" if areas else "") + (f"; one in {every}" if every > 1 else ""))

    def one(program):
        path, text = program
        name = f"{way.name}: {os.path.relpath(path, '/srv')}"
        result = result_of(way, job(path, text, shared))
        attempt(name, lambda: check(name, judge(result, text), brief(result)))

    with ThreadPoolExecutor(way.at_once) as pool:
        list(pool.map(one, chosen))
