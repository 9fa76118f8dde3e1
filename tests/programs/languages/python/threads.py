import asyncio
import concurrent.futures
import multiprocessing
import threading


def square(number):
    return number * number


def threads():
    results = []
    lock = threading.Lock()

    def work(number):
        with lock:
            results.append(square(number))

    started = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in started:
        one.start()
    for one in started:
        one.join()
    return sum(results)


async def tasks():
    return sum(await asyncio.gather(*(asyncio.to_thread(square, number) for number in range(4))))


if __name__ == '__main__':
    assert asyncio.run(tasks()) == 14
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(square, range(4))) == 14
    with multiprocessing.Pool(2) as pool:
        assert sum(pool.map(square, range(4))) == 14
    print(threads())
