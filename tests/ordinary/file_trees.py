"""Copying, moving, linking, walking and removing trees."""
import os, pathlib, shutil

tree = pathlib.Path("tree")
(tree / "deep" / "er").mkdir(parents=True)
(tree / "deep" / "er" / "file").write_text("text")
os.symlink("deep/er/file", tree / "link")
os.link(tree / "deep" / "er" / "file", tree / "hard")
shutil.copytree(tree, "/tmp/copy", symlinks=True)
shutil.move("/tmp/copy", "moved")
assert os.readlink("moved/link") == "deep/er/file" and (tree / "hard").stat().st_nlink == 2
assert sorted(p.name for p in pathlib.Path("moved").rglob("*")) == ["deep", "er", "file", "hard", "link"]
os.utime("moved/hard", (1, 1))
os.chmod("moved/hard", 0o600)
shutil.rmtree(tree)
shutil.rmtree("moved")
print("ok")
