"""Looks whether it shares a session with the runner. Held by setsid."""
import os
from probe import contained, escaped

(contained if os.getsid(0) == os.getpid() else escaped)(f"session {os.getsid(0)} of process {os.getpid()}")
