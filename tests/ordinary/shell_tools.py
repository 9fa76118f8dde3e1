"""What shell scripts use: find, grep, sed, awk, tar, cp, mktemp; and how make starts a command."""
import os, subprocess

script = """
set -e
cd "$(mktemp -d)"
mkdir -p a/b
printf 'one\\ntwo\\n' > a/b/text
cp -a a c
tar cf all.tar a
rm -r a
tar xf all.tar
diff -r a c
test "$(find . -name text | wc -l)" = 2
test "$(grep -c two a/b/text)" = 1
test "$(sed -n 1p a/b/text | awk '{print toupper($1)}')" = ONE
ls -la > /dev/null
echo ok
"""
child = os.posix_spawn("/usr/bin/true", ["true"], {}, resetids=True)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout, end="")
