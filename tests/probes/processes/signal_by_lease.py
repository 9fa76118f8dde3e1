# expect: refused fcntl
"""Takes a lease, which tells who else opens a file. Held by seccomp, by argument."""
import fcntl
from probe import attempt

open("own", "w").close()
attempt(lambda: fcntl.fcntl(open("own"), fcntl.F_SETLEASE, fcntl.F_RDLCK))
