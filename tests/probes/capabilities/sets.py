"""Looks for a capability of its own. Held by the emptied sets."""
from probe import contained, escaped

lines = [line for line in open("/proc/self/status") if line.startswith(("CapPrm", "CapEff", "CapInh", "CapAmb"))]
(escaped if any(int(line.split()[1], 16) for line in lines) else contained)(lines)
