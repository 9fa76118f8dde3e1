"""A program that lowers its own limits and meets them."""
import resource

resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
files = []
try:
    while True:
        files.append(open("/dev/null"))
except OSError as error:
    assert error.errno == 24 and len(files) < 20
print("ok")
