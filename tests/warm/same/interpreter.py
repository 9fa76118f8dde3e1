import locale, os, signal, sys
print(sys.flags, sys.path, sys.meta_path, sys.path_hooks, sys.warnoptions, sys.implementation.name)
print(sys.getfilesystemencoding(), sys.getdefaultencoding(), locale.getpreferredencoding(), locale.setlocale(locale.LC_ALL))
print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.dont_write_bytecode, sys.flags.hash_randomization)
for stream in sys.stdin, sys.stdout, sys.stderr:
    print(stream.name, stream.mode, stream.encoding, stream.errors, stream.line_buffering, stream.write_through,
          stream.isatty(), stream.fileno(), stream.buffer, stream.newlines, stream.seekable() if stream is not sys.stdin else "")
print(os.getcwd(), oct(os.umask(0o22)), os.getppid(), sorted(os.listdir("/proc/self/fd")), os.getpgid(0) == os.getpid() == os.getsid(0))
print([(number, signal.getsignal(number)) for number in sorted(signal.valid_signals()) if number < 32], signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(sys.gettrace(), sys.getprofile(), sys.breakpointhook, sys.excepthook, sys.displayhook, sys.unraisablehook, hasattr(sys, "last_type"))
import gc, threading, atexit
print(gc.isenabled(), gc.get_threshold(), threading.active_count(), threading.main_thread() is threading.current_thread(), atexit._ncallbacks())
print(threading.get_native_id() == os.getpid(), threading.main_thread().native_id == os.getpid())
