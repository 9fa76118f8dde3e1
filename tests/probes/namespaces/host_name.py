"""Asks what the host is called. Held by the uts namespace."""
import os
from probe import bait, contained, escaped

name = os.uname().nodename
(escaped if name == bait("hostname") else contained)(name)
