"""Opens the list of the processes of another cgroup. Held by the cell's own root, the read-only mount, Landlock and the uid."""
import glob, os
from probe import attempt

ROOT = "/sys/fs/cgroup"
found = glob.glob(f"{ROOT}/cgroup.procs") + glob.glob(f"{ROOT}/pids/cgroup.procs")
attempt(lambda: os.open((found or [ROOT])[0], os.O_WRONLY))
