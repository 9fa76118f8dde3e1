# expect: refused fcntl
"""Watches a folder that all jobs share by F_NOTIFY. Held by seccomp, by argument."""
import fcntl, os, signal
from probe import attempt

signal.signal(signal.SIGIO, signal.SIG_IGN)
attempt(lambda: fcntl.fcntl(os.open("/usr/bin", os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS))
