# job: {"args": ["one", "", "-x", "zwei drei", "ü", "--"]}
import sys
print(sys.argv, sys.orig_argv, sys.executable, sys.prefix, sys.base_prefix)
