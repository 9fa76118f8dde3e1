import sys
del sys.stderr
sys.exit("said all the same")
