"""Leaves variables and a different folder."""
import os, sys
from probe import contained, escaped

if sys.argv[1] == "leave":
    os.environ["LEFT"] = "secret"
    os.putenv("PATH", "/work")
    os.chdir("/tmp")
    contained("left")
clean = "LEFT" not in os.environ and os.environ["PATH"] == "/usr/bin:/bin" and os.getcwd() == "/work"
(contained if clean else escaped)(dict(os.environ))
