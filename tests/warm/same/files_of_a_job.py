# job: {"files": [{"path": "helper.py", "content": "import os\nprint('helper', __name__, __file__)\nVALUE = 7\n"}, {"path": "data/a/b.txt", "content": "tief"}, {"path": "pkg/__init__.py", "content": ""}, {"path": "pkg/part.py", "content": "from . import __name__ as name\n"}], "outputs": ["*.out", "data/**"]}
import os, stat
import helper, pkg.part
print(helper.VALUE, pkg.part.name, open("data/a/b.txt").read())
for base, folders, files in sorted(os.walk("/work")):
    for name in sorted(folders + files):
        s = os.stat(os.path.join(base, name))
        print(base, name, oct(s.st_mode), s.st_uid == os.getuid(), s.st_size if stat.S_ISREG(s.st_mode) else "")
open("made.out", "w").write("result")
os.makedirs("data/new"); open("data/new/x", "wb").write(bytes(range(256)))
