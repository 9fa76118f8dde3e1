# job: {"tests": [{"name": "a", "stdin": "1", "expected_stdout": "2\n"}, {"name": "b", "stdin": "5", "args": ["x"], "expected_stdout": "7\n"}]}
import sys
print(int(input()) + 1 + len(sys.argv[1:]))
