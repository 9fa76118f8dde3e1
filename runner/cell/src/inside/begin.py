# Run in a child when its order has come, right before it opens its program.
import sys as _sys

_posix = _sys.modules["posix"]
_os = _sys.modules["os"]
_environ = _os.environ

# As it stood when the template was started, then as the job wants it, in its order.
_pairs = [_pair.split(b"=", 1) for _pair in env.split(b"\0")] if env else []
for _name in list(_environ._data):
    _posix.unsetenv(_name)
_environ._data.clear()
for _name, _value in _pairs:
    _posix.putenv(_name, _value)
    _environ._data[_name] = _value

_argv = [_os.fsdecode(_word) for _word in argv.split(b"\0")]
_sys.orig_argv[:] = _argv
_sys.argv[:] = _argv[int(words):]
# That of the template's own program, in the working folder. An interpreter that is told to does not put it there.
_folder = _os.fsdecode(path).rpartition("/")[0]
if _folder != "/work" and _sys.path[:1] == ["/work"]:
    _sys.path[0] = _folder

# What Python's own hooks after a fork do not reach (random is reseeded by one).
_random = _sys.modules.get("numpy.random")
if _random is not None:
    _random.seed()
_logging = _sys.modules.get("logging")
if _logging is not None:
    _logging._startTime = _sys.modules["time"].time()
