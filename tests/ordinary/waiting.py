"""select, poll, epoll, eventfd and selectors."""
import os, select, selectors

read, write = os.pipe()
os.write(write, b"x")
assert select.select([read], [], [], 5)[0] == [read]
poll = select.poll()
poll.register(read, select.POLLIN)
assert poll.poll(5000) == [(read, select.POLLIN)]
with select.epoll() as epoll:
    epoll.register(read, select.EPOLLIN)
    assert epoll.poll(5) == [(read, select.EPOLLIN)]
with selectors.DefaultSelector() as selector:
    selector.register(read, selectors.EVENT_READ, "data")
    assert selector.select(5)[0][0].data == "data"
print("ok")
