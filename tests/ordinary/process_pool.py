"""A pool of processes."""
from concurrent.futures import ProcessPoolExecutor


def square(number):
    return number * number


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        assert list(pool.map(square, range(10))) == [n * n for n in range(10)]
    print("ok")
