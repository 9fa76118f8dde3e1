# expect: denied setuid mount
"""Mounts by a setuid program. Held by seccomp, no_new_privs, nosuid and the missing capability."""
import subprocess
from probe import contained, escaped

done = subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "tmpfs", "/work"], capture_output=True, text=True)
(contained if done.returncode else escaped)(done.stderr.strip())
