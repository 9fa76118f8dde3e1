"""Sends the cell's init a signal with data of its choice. Held by init's own uid and Landlock's scope."""
import ctypes, signal
from probe import attempt, syscall

information = (ctypes.c_int * 32)(signal.SIGCHLD, 0, -1)
attempt(lambda: syscall("rt_sigqueueinfo", 1, int(signal.SIGCHLD), information))
