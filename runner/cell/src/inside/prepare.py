# Run once in a template. Imports what the profile lists, and rehearses a job: what that makes the interpreter allocate
# and touch is there before the first fork then. Leaves no name and no module behind but those that were asked for.
import sys as _sys

try:
    for _name in preload.decode().split():
        __import__(_name)
    _asked = set(_sys.modules)
    import gc as _gc
    import os as _os
    import _thread as _threads
    import types as _types
    import weakref as _weakref

    # A job's file, compiled and run.
    exec(compile("def f(x):\n    return [x, str(x)]\nprint(f(1), end='', file=None)\n", "/work/main.py", "exec"), {"print": lambda *a, **k: None})

    # Threads do not come along, and memory that is shared would be shared between jobs.
    if len(_os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("a preloaded module has started a thread")
    with open("/proc/self/maps") as _maps:
        for _line in _maps:
            if _line.split()[1][1::2] == "ws":
                raise RuntimeError("a preloaded module has mapped shared memory: " + _line.strip())

    for _name in set(_sys.modules) - _asked:
        del _sys.modules[_name]
    modules = "\n".join({_name.partition(".")[0] for _name in _sys.modules}).encode()
    import builtins as _builtins

    # Kinds of objects whose end nobody sees.
    _plain = frozenset(
        (object, type, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice)
        + (property, staticmethod, classmethod, BaseException, Exception, _types.CellType, _types.FunctionType)
        + (_types.BuiltinFunctionType, _types.MethodType, _types.MappingProxyType, _types.GetSetDescriptorType)
        + (_types.MemberDescriptorType, _types.MethodDescriptorType, _types.MethodWrapperType, _types.WrapperDescriptorType)
        + (_types.FrameType, _sys.modules["_frozen_importlib_external"].SourceFileLoader, type(_sys.__spec__))
    )
    # All modules but the three that the end of a program is about.
    _others = tuple((_name, _module) for _name, _module in _sys.modules.items() if _name not in ("__main__", "sys", "builtins"))
    kept = (_others, _gc.get_objects, _threads._count, _weakref.ReferenceType, _types.ModuleType, _plain)

    sys_dict, builtins_dict = _sys.__dict__, _builtins.__dict__
    sys_names, builtin_names = dict(sys_dict), dict(builtins_dict)
    _gc.collect()
    _gc.freeze()
except BaseException as _error:
    reason = (type(_error).__name__ + ": " + str(_error)).encode()
    raise
