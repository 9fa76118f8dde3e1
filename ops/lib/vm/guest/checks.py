"""Counts what holds and what does not, and says it as it goes. Nothing else may print to the report."""

import threading
import traceback

passed = []
_lock = threading.Lock()


def check(name, holds, found=""):
    with _lock:
        passed.append(bool(holds))
        print(f"{'ok' if holds else 'FAILED'}: {name}", "" if holds else repr(found)[:4000])


def attempt(name, function, *args):
    """A check that can't even be made has failed; the others go on."""
    try:
        function(*args)
    except Exception:
        check(name, False, traceback.format_exc())


def verdict():
    print(f"vm: {passed.count(True)} passed, {passed.count(False)} failed")
