import subprocess, sys
sys.stdout.write("half a line")
sys.exit("a message on stderr")
