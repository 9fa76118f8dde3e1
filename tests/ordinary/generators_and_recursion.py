"""Deep recursion, much memory and its return."""
import gc, sys, tracemalloc

sys.setrecursionlimit(20000)
depth = lambda n: 0 if n == 0 else 1 + depth(n - 1)
assert depth(9000) == 9000
for _ in range(5):
    block = bytearray(64 << 20)
    del block
tracemalloc.start()
assert sum(n for n in range(10**5)) == 4999950000 and gc.collect() >= 0
print("ok")
