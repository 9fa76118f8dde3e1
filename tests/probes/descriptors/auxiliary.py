"""Looks for what is left beyond its environment, in the stack that the kernel made. Held by exec: nothing outlives it."""
from probe import contained, escaped

stack = open("/proc/self/environ", "rb").read() + open("/proc/self/cmdline", "rb").read()
(escaped if b"SECRET" in stack or b"glovebox " in stack else contained)(f"{len(stack)} bytes")
