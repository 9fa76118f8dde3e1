"""Looks for groups that survived the change of uid. Held by the emptied list."""
import os
from probe import contained, escaped

(escaped if os.getgroups() else contained)(os.getgroups())
