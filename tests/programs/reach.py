"""Speaks to the gate's two doors by hand, so that no library does anything that a test does not see."""
import os
import socket

HTTP, SOCKS = ('127.0.0.1', 3128), ('127.0.0.1', 1080)


def door(where):
    client = socket.create_connection(where)
    client.settimeout(60)
    return client


def rest(client):
    """All that comes until the other end closes."""
    chunks = []
    while chunk := client.recv(65536):
        chunks.append(chunk)
    return b''.join(chunks)


def some(client, count):
    """So many bytes, or fewer if there are no more."""
    read = b''
    while len(read) < count and (more := client.recv(count - len(read))):
        read += more
    return read


def head(client):
    read = b''
    while not read.endswith(b'\r\n\r\n') and (more := client.recv(1)):
        read += more
    return read


def status(answer):
    return int(answer.split()[1])


def named(answer):
    """The verdict that a refusal has in its head."""
    lines = answer.decode().lower().split('\r\n')
    return next((line.split(': ')[1] for line in lines if line.startswith('glovebox-verdict')), None)


def plain(host, port, path='/hello'):
    """An absolute URL: the status and the body."""
    client = door(HTTP)
    client.sendall(f'GET http://{host}:{port}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'.encode())
    answer = head(client)
    return status(answer), rest(client).decode()


def connect(host, port):
    """CONNECT: the status, the verdict if it was refused, and the connection."""
    client = door(HTTP)
    client.sendall(f'CONNECT {host}:{port} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
    answer = head(client)
    return status(answer), named(answer), client


def socks(host, port):
    """SOCKS5 with a name: the reply's number and the connection."""
    client = door(SOCKS)
    name = host.encode()
    client.sendall(b'\5\1\0')
    assert some(client, 2) == b'\5\0'
    client.sendall(b'\5\1\0\3' + bytes([len(name)]) + name + port.to_bytes(2, 'big'))
    return some(client, 10)[1], client


def get(client, path='/hello'):
    """Asks through a tunnel: bytes sent, bytes received, and the body."""
    request = f'GET {path} HTTP/1.1\r\nHost: x\r\n\r\n'.encode()
    client.sendall(request)
    answer = rest(client)
    return len(request), len(answer), answer.partition(b'\r\n\r\n')[2].decode()


def tried(what, *args):
    """The name of the error that it raised."""
    try:
        what(*args)
        return 'done'
    except OSError as error:
        return os.strerror(error.errno) if error.errno else type(error).__name__
