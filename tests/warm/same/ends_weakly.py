class Thing: pass
import _weakref
thing = Thing()
ref = _weakref.ref(thing, lambda r: print("gone"))
