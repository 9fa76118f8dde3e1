"""Looks whether it is root already. Held by the slot's own uid."""
import os
from probe import contained, escaped

ids = [*os.getresuid(), *os.getresgid()]
(escaped if 0 in ids else contained)(ids)
