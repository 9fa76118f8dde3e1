import atexit, weakref, threading, time
class Thing:
    def __del__(self):
        print("deleted")
thing = Thing()
weakref.finalize(thing, print, "finalized")
atexit.register(print, "registered first")
atexit.register(print, "registered last")
def work():
    time.sleep(0.05)
    print("thread done")
threading.Thread(target=work).start()
print("end of main")
