import subprocess, sys
code = "import sys, os; print(sys.argv, sys.flags.dont_write_bytecode, sorted(os.environ)); sys.exit(3)"
done = subprocess.run([sys.executable, "-c", code, "x"], capture_output=True, text=True)
print(done.returncode, done.stdout, done.stderr)
