# job: {"limits": {"wall_ms": 300}}
import time
print("starts")
time.sleep(60)
