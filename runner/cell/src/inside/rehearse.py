# Run in the one child that is learned from (hot.rs): touches what the start of a program touches.
exec(compile("import sys, os\n\ndef f(x):\n    return [x, str(x)]\n", "/work/main.py", "exec"), {})
