"""Sends a device an ioctl. Held by Landlock."""
import errno, fcntl
from probe import contained, escaped

TCGETS = 0x5401
try:
    fcntl.ioctl(open("/dev/null", "r+b", buffering=0), TCGETS, bytes(64))
except OSError as error:
    # ENOTTY is the device's own answer.
    (contained if error.errno == errno.EACCES else escaped)(errno.errorcode[error.errno])
