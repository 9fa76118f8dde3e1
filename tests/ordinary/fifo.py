"""A named pipe between two processes."""
import os

os.mkfifo("pipe")
if os.fork() == 0:
    with open("pipe", "w") as out:
        out.write("through the pipe")
    os._exit(0)
assert open("pipe").read() == "through the pipe"
os.wait()
print("ok")
