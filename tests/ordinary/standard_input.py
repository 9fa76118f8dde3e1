"""The end of an empty standard input, and output in every way."""
import os, sys

assert sys.stdin.read() == "" and os.read(0, 1) == b""
sys.stdout.write("o")
sys.stdout.flush()
os.writev(1, [b"k", b"\n"])
