# Run when the program is over. Whether nothing of it is left whose end could be seen: then nobody needs the interpreter
# to take itself apart, which writes to most of what this process shares with its template. Where that is to happen,
# what the template imported is left out of it.
import sys as _sys

_modules, _objects, _threads, _reference, _module, _plain = kept


def _is_plain(kind):
    for base in kind.__mro__:
        if base in _plain:
            continue
        if type(base) is not type or "__del__" in base.__dict__ or base.__module__ != "__main__":
            return False
    return True


def _is_over():
    # What the template made is not among these. Whoever has the collector may have put more out of sight (gc.freeze).
    objects = _objects()
    # A program that made much has spent more than its end costs.
    if len(objects) > 1000 or _threads() or "gc" in _sys.modules:
        return False
    for one in objects:
        kind = type(one)
        if kind is type:
            # Some instances are among no objects: what they do at their end, their class says.
            if not _is_plain(one):
                return False
        elif kind is _reference:
            if one.__callback__ is not None:
                return False
        elif kind is _module:
            # Imported at the end of every program.
            if one.__name__ != "atexit":
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
