"""Signals the cell's init through a pidfd. Held by init's own uid, and behind it by Landlock's scope."""
import os, signal
from probe import attempt

attempt(lambda: signal.pidfd_send_signal(os.pidfd_open(1), 0))
