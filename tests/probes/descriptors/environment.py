"""Looks for what the runner's own environment holds. Held by the environment, which is made for the job."""
import os
from probe import contained, escaped

found = [name for name in os.environ if "SECRET" in name or "GLOVEBOX" in name]
(escaped if found else contained)(sorted(os.environ))
