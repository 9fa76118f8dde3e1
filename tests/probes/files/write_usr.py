"""Makes a file among the programs of the host. Held by the read-only mount, Landlock and the uid."""
import os
from probe import attempt

attempt(lambda: os.open("/usr/lib/glovebox-probe", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
