# Run in each child once it is jailed, before its order has come: touches what the start of a program touches.
exec(compile("import sys, os\n\ndef f(x):\n    return [x, str(x)]\n", "/work/main.py", "exec"), {})
