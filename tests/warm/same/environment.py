# job: {"env": {"TOKEN": "geheim=1", "HOME": "/work", "LEER": "", "UMLAUT": "ü"}}
import os, subprocess, posix
print(list(os.environ.items()))
print(posix.environ == os.environ._data, os.getenv("TOKEN"))
print(subprocess.run(["/usr/bin/env"], capture_output=True, text=True).stdout)
os.environ["NEU"] = "1"; del os.environ["TOKEN"]
print(subprocess.run(["/usr/bin/env"], capture_output=True, text=True).stdout)
