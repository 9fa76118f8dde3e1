"""Temporary files and folders, named and not."""
import os, tempfile

with tempfile.TemporaryDirectory() as folder:
    with tempfile.NamedTemporaryFile("w+", dir=folder) as file:
        file.write("text")
        file.flush()
        assert open(file.name).read() == "text"
with tempfile.TemporaryFile() as file:
    file.write(b"x" * 100000)
    assert file.tell() == 100000
with tempfile.SpooledTemporaryFile(max_size=10) as file:
    file.write(b"longer than ten bytes")
assert not os.path.exists(folder)
print("ok")
