"""Uses up the processor: the share of the next job must be whole."""
import sys, time
from probe import contained, escaped

if sys.argv[1] == "leave":
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    contained("left")
used = time.process_time()
(contained if used < 1 else escaped)(f"{used} s")
