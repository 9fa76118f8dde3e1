"""Memory that two processes share by its name."""
from multiprocessing import Process
from multiprocessing.shared_memory import SharedMemory


def write(name):
    memory = SharedMemory(name)
    memory.buf[0] = 7
    memory.close()


if __name__ == "__main__":
    memory = SharedMemory(create=True, size=16)
    child = Process(target=write, args=(memory.name,))
    child.start()
    child.join(5)
    assert memory.buf[0] == 7
    memory.close()
    memory.unlink()
    print("ok")
