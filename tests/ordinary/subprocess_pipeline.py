"""Programs of the system, joined by pipes, with a time-out and an exit code."""
import subprocess

first = subprocess.Popen(["/bin/echo", "b\na\nb"], stdout=subprocess.PIPE)
second = subprocess.run(["sort", "-u"], stdin=first.stdout, capture_output=True, text=True, timeout=5)
assert (second.stdout, first.wait()) == ("a\nb\n", 0)
assert subprocess.run(["sh", "-c", "exit 7"]).returncode == 7
try:
    subprocess.run(["sleep", "100"], timeout=0.05)
except subprocess.TimeoutExpired:
    print("ok")
