"""Threads with a lock, a queue, an event and thread-local values."""
import queue, threading

jobs, results, lock, local = queue.Queue(), [], threading.Lock(), threading.local()


def work():
    local.count = 0
    while (number := jobs.get()) is not None:
        local.count += 1
        with lock:
            results.append(number * number)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for number in range(100):
    jobs.put(number)
for _ in threads:
    jobs.put(None)
for thread in threads:
    thread.join(5)
assert sorted(results) == [n * n for n in range(100)]
print("ok")
