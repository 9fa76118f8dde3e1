import sys
heard = []
sys.addaudithook(lambda event, values: event.startswith("cpython") and sys.stderr.write(event + "\n"))
