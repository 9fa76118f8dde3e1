"""Processes that begin with a new interpreter."""
import multiprocessing as mp


def double(number):
    return number * 2


if __name__ == "__main__":
    with mp.get_context("spawn").Pool(1) as pool:
        assert pool.map(double, [1, 2]) == [2, 4]
    print("ok")
