# What an interpreter gives to `__main__` when it runs a file.
import sys as _sys

_main = _sys.modules["__main__"].__dict__
_file = _sys.modules["os"].fsdecode(path)
_main["__file__"] = _file
_main["__cached__"] = None
_main["__loader__"] = _sys.modules["_frozen_importlib_external"].SourceFileLoader("__main__", _file)
del _main
