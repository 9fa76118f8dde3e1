"""A manager process that holds a dictionary for others."""
import multiprocessing as mp

if __name__ == "__main__":
    with mp.Manager() as manager:
        shared = manager.dict(a=1)
        shared["b"] = 2
        assert dict(shared) == {"a": 1, "b": 2}
    print("ok")
