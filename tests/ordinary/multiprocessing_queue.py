"""Processes with a queue, a pipe, a lock and a shared value."""
import multiprocessing as mp


def work(queue, pipe, lock, value):
    with lock:
        value.value += 1
    queue.put("from the child")
    pipe.send([1, 2, 3])


if __name__ == "__main__":
    queue, (here, there), lock, value = mp.Queue(), mp.Pipe(), mp.Lock(), mp.Value("i", 41)
    child = mp.Process(target=work, args=(queue, there, lock, value))
    child.start()
    assert queue.get(timeout=5) == "from the child" and here.recv() == [1, 2, 3]
    child.join(5)
    assert value.value == 42 and child.exitcode == 0
    print("ok")
