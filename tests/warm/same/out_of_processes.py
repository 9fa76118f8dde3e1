# job: {"limits": {"processes": 4}}
import os, time
made = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
        made += 1
except BlockingIOError as error:
    print(made, error)
