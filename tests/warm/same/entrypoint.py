# job: {"entrypoint": "sub/other.py", "args": ["x"], "files": [{"path": "sub/helper.py", "content": "print(__name__, __file__)\n"}]}
import sys
import helper
print(__file__, sys.argv, sys.orig_argv, sys.path[:2], open(__file__).read().count("helper"))
def fail():
    raise LookupError(__file__)
fail()
