"""Leaves times and attributes on files that all jobs see."""
import os, sys
from probe import contained, escaped

PATHS = ("/usr/bin/env", "/etc/passwd", "/", "/usr")
if sys.argv[1] == "leave":
    for path in PATHS:
        for leave in (lambda: os.utime(path, (7, 7)), lambda: os.setxattr(path, "user.left", b"x"), lambda: os.chmod(path, 0o777)):
            try:
                leave()
                escaped(path)
            except OSError:
                pass
    contained("nothing to leave")
marks = [path for path in PATHS if os.listxattr(path) or os.stat(path).st_mtime == 7]
(escaped if marks else contained)(marks)
