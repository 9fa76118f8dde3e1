"""Clocks, sleeping and measuring."""
import datetime, time

start = time.monotonic(), time.perf_counter(), time.process_time(), time.thread_time(), time.time_ns()
time.sleep(0.01)
assert time.monotonic() - start[0] >= 0.01 and time.perf_counter() > start[1]
assert datetime.datetime.now(datetime.timezone.utc).year >= 2024 and time.get_clock_info("monotonic").monotonic
print("ok")
