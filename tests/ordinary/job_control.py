"""Process groups, sessions, waiting and nice."""
import os, signal

read, write = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    os.nice(3)
    os.write(write, b"1")
    signal.pause()
os.read(read, 1)
assert os.getpgid(child) == child != os.getpgrp() and os.getpriority(os.PRIO_PROCESS, child) == 3
os.killpg(child, signal.SIGTERM)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
print("ok")
