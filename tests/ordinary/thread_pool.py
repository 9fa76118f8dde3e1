"""A pool of threads."""
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(len, ["a", "bb", "ccc"])) == [1, 2, 3]
print("ok")
