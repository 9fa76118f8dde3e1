"""Leaves ignored and blocked signals, and timers that would still go off."""
import signal, sys
from probe import contained, escaped

if sys.argv[1] == "leave":
    for number in range(1, 65):
        if number not in (9, 19, 32, 33):
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    contained("left")
lines = [line.split() for line in open("/proc/self/status") if line.startswith(("SigBlk", "SigPnd", "ShdPnd"))]
clean = not any(int(mask, 16) for _, mask in lines) and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
(contained if clean and signal.getitimer(signal.ITIMER_REAL) == (0, 0) else escaped)(lines)
