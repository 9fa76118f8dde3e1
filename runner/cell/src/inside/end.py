# Run when the program is over, before the interpreter takes itself apart: leaves what the template imported out of that.
import sys as _sys

_modules = _sys.modules
for _name, _module in kept:
    if _modules.get(_name) is _module:
        del _modules[_name]
