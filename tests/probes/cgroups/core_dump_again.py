# expect: refused prlimit64
"""Sets the core limit to 0, at which a handler on the host is started. Held by seccomp, by argument."""
import resource
from probe import attempt

try:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 1))
except ValueError as error:
    # What Python makes of EPERM.
    attempt(lambda: (_ for _ in ()).throw(PermissionError(1, str(error))))
attempt(lambda: "set")
