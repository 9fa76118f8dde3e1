"""Looks whether a setuid program could still gain something. Held by no_new_privs."""
from probe import contained, escaped

line = next(line for line in open("/proc/self/status") if line.startswith("NoNewPrivs"))
(contained if line.split()[1] == "1" else escaped)(line.strip())
