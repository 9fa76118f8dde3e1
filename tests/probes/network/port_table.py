"""Looks for open ports of the host in /proc/net/tcp. Held by the empty network."""
from probe import bait, contained, escaped

text = open("/proc/net/tcp").read()
(escaped if f":{int(bait('port')):04X}" in text else contained)(f"{text.count(chr(10))} lines")
