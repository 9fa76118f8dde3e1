"""Handlers, alarms, timers and waiting for signals."""
import os, signal, time

got = []
signal.signal(signal.SIGALRM, lambda number, frame: got.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
os.kill(os.getpid(), signal.SIGUSR2)
assert signal.sigwait({signal.SIGUSR2}) == signal.SIGUSR2 and got == [signal.SIGALRM]
signal.pthread_kill(__import__("threading").get_ident(), signal.SIGALRM)
assert len(got) == 2
print("ok")
