# job: {"stdin": "eins\nzwei\ndrei"}
import os, sys
print(input(), repr(sys.stdin.readline()), repr(sys.stdin.read()), repr(sys.stdin.read()))
print(open("/dev/stdin").read(), file=sys.stderr)
open("/dev/stdout", "w").write("by name\n")
open("/proc/self/fd/2", "w").write("by number\n")
os.write(1, b"raw\n")
sys.stdout.buffer.write(b"\xff\xfe\n")
print("\ud800".encode("utf-8", "surrogatepass"))
