import os

os.system("echo yes")
