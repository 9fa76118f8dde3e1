"""Runs a setuid program; the loader tells nothing of one that gained. Held by no_new_privs and nosuid."""
import os, subprocess
from probe import contained, escaped

shown = subprocess.run(["/usr/bin/umount", "--help"], env={"LD_SHOW_AUXV": "1"}, capture_output=True, text=True).stdout
ids = [line.split()[1] for line in shown.splitlines() if line.startswith(("AT_UID", "AT_EUID"))]
(contained if ids == [str(os.getuid())] * 2 else escaped)(ids)
