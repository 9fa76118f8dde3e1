"""Runs a command under a compiled filter on the real kernel, answers held calls and reports each.

usage: jail.py FILTER REFUSALS REPORT COMMAND...

FILTER holds the raw BPF program, REFUSALS a line "NUMBER VERDICT" for each call that is not refused with EPERM, REPORT gets
a line "NUMBER VERDICT ARG0 ARG1 ARG2" for each held call. Only a test helper: it isolates nothing else.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys

SECCOMP = {"x86_64": 317, "aarch64": 277}[platform.machine()]
RECEIVE, ANSWER = 0xC0502100, 0xC0182101
libc = ctypes.CDLL(None, use_errno=True)


def install(path):
    """Installs the filter on this process; returns the descriptor that held calls arrive at."""
    program = open(path, "rb").read()
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    listener = libc.syscall(SECCOMP, 1, 8, ctypes.create_string_buffer(header, len(header)))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def serve(listener, verdicts, report):
    """Answers held calls until the last process under the filter is gone."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        for _, events in poll.poll():
            if not events & select.POLLIN:
                return
            held = bytearray(80)
            try:
                fcntl.ioctl(listener, RECEIVE, held)
            except OSError:
                continue  # the caller died meanwhile
            ident, pid, _, number, _, _, *args = struct.unpack("QIIiIQ6Q", held)
            number &= 0xFFFFFFFF
            verdict = verdicts.get(number, "Eperm")
            print(number, verdict, *(hex(arg) for arg in args[:3]), file=report, flush=True)
            if verdict == "Kill":
                os.kill(pid, signal.SIGKILL)
                continue
            code = errno.EPERM if verdict == "Eperm" else errno.ENOSYS
            try:
                fcntl.ioctl(listener, ANSWER, struct.pack("QqiI", ident, 0, -code, 0))
            except OSError:
                pass


def main():
    filter_path, refusals, report, *command = sys.argv[1:]
    verdicts = {int(number): verdict for number, verdict in map(str.split, open(refusals))}
    mine, its = socket.socketpair()
    child = os.fork()
    if child == 0:
        mine.close()
        listener = install(filter_path)
        socket.send_fds(its, [b"x"], [listener])
        os.close(listener)
        its.close()
        os.execv(command[0], command)
    its.close()
    _, descriptors, _, _ = socket.recv_fds(mine, 1, 1)
    with open(report, "w") as out:
        serve(descriptors[0], verdicts, out)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


main()
