import sys
print(__name__, __file__, __doc__, __spec__, __package__, __cached__, type(__loader__).__name__, __annotations__)
print(sorted(name for name in globals() if name != "sys"))
print(sys.modules["__main__"].__dict__ is globals(), type(__builtins__).__name__)
