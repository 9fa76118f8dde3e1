"""Local sockets: pairs, datagrams, descriptors passed and credentials."""
import os, socket, struct

one, other = socket.socketpair()
one.sendall(b"hello")
assert other.recv(10) == b"hello"
read, write = os.pipe()
socket.send_fds(one, [b"x"], [write])
_, fds, _, _ = socket.recv_fds(other, 1, 1)
os.write(fds[0], b"passed")
assert os.read(read, 10) == b"passed"
pid, uid, _ = struct.unpack("3i", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
assert pid == os.getpid() and uid == os.getuid()
receiver, sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\0datagrams")
sender.sendto(b"one", "\0datagrams")
assert receiver.recv(10) == b"one"
print("ok")
