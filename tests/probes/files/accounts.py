"""Reads who has an account on the host. Held by the cell's own root: its /etc/passwd names the job alone."""
from probe import contained, escaped

text = open("/etc/passwd").read()
(escaped if "root:" in text else contained)(text.strip())
