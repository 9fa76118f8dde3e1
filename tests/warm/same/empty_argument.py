# job: {"args": [""]}
import sys
print(sys.argv)
