# The stream is buffered and its reader gone: found at the very end.
import os, sys
print("x" * 10)
os.close(1)
