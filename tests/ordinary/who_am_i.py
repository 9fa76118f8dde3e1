"""What programs ask about themselves and the machine."""
import getpass, grp, os, platform, pwd, resource, shutil, socket, sys

assert pwd.getpwuid(os.getuid()).pw_dir == "/work" and grp.getgrgid(os.getgid()).gr_name == "job"
assert os.path.expanduser("~") == "/tmp" and getpass.getuser() == "glovebox"
assert platform.system() == "Linux" and socket.gethostname() == "cell" and os.cpu_count() >= 1
assert shutil.disk_usage(".").free > 0 and os.getloadavg() and os.sysconf("SC_PAGE_SIZE") == 4096
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0 and os.path.exists(sys.executable)
assert len(os.sched_getaffinity(0)) >= 1 and not os.isatty(1)
print("ok")
