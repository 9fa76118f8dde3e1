"""Environment, folder and descriptors, passed on to a child."""
import os, subprocess, sys

read, write = os.pipe()
code = f"import os; os.write({write}, (os.environ['X'] + os.getcwd()).encode())"
subprocess.run([sys.executable, "-c", code], env={**os.environ, "X": "y"}, cwd="/tmp", pass_fds=[write], check=True)
assert os.read(read, 100) == b"y/tmp"
print("ok")
