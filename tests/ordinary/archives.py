"""zip, tar, gzip, bzip2 and xz, written and read."""
import bz2, gzip, io, lzma, tarfile, zipfile, zlib

text = b"the same again and again " * 1000
for module in (zlib, gzip, bz2, lzma):
    packed = module.compress(text)
    assert len(packed) < 1000 and module.decompress(packed) == text
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("name", text)
assert zipfile.ZipFile("a.zip").read("name") == text
with tarfile.open("a.tar.gz", "w:gz") as archive:
    archive.add("a.zip")
with tarfile.open("a.tar.gz") as archive:
    archive.extractall("out")
assert open("out/a.zip", "rb").read() == open("a.zip", "rb").read()
print("ok")
