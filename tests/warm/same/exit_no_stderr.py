import sys
sys.stderr = None
sys.exit("said é all the same")
