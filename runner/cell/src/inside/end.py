# Run when the program is over. Whether nothing of it is left whose end could be seen: then nobody needs the interpreter
# to take itself apart, which writes to most of what this process shares with its template. Where that is to happen,
# what the template imported is left out of it.
import sys as _sys

_modules, _counts, _objects, _threads, _reference, _plain = kept


def _is_plain(kind):
    for base in kind.__mro__:
        if base in _plain:
            continue
        if type(base) is not type or "__del__" in base.__dict__ or base.__module__ != "__main__":
            return False
    return True


def _is_over():
    # What the template made is not counted. A program that made much has spent more than its end costs.
    young, older, oldest = _counts()
    if young > 1000 or older or oldest or _threads():
        return False
    for one in _objects(0):
        kind = type(one)
        if kind is type:
            # Some instances are among no objects: what they do at their end, their class says.
            if not _is_plain(one):
                return False
        elif kind is _reference:
            if one.__callback__ is not None:
                return False
        elif kind not in _plain and not (type(kind) is type and _is_plain(kind)):
            return False
    for stream in (_sys.stdout, _sys.stderr):
        if stream is not None:
            stream.flush()
    return True


try:
    over = b"1" if _is_over() else b""
except BaseException:
    over = b""
if not over:
    _now = _sys.modules
    for _name, _module in _modules:
        if _now.get(_name) is _module:
            del _now[_name]
