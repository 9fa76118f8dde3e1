# expect: denied unshare
"""Has a program of the host make a user namespace. Held by seccomp, which children inherit."""
import subprocess
from probe import contained, escaped

code = subprocess.run(["/usr/bin/unshare", "--user", "/usr/bin/true"]).returncode
(contained if code else escaped)(f"unshare ended with {code}")
