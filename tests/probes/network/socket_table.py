"""Looks for sockets of the host in /proc/net/unix. Held by the empty network."""
from probe import bait, contained, escaped

text = open("/proc/net/unix").read()
(escaped if bait("name") in text else contained)(f"{text.count(chr(10))} lines")
