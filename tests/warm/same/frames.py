import inspect, sys, traceback
frame, depth = sys._getframe(), 0
while frame:
    print(frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno)
    frame, depth = frame.f_back, depth + 1
print(depth, [entry.function for entry in inspect.stack()])
traceback.print_stack(file=sys.stdout)
print(inspect.getsource(sys.modules["__main__"]).splitlines()[0])
def deep(n):
    return deep(n + 1)
try:
    deep(0)
except RecursionError as error:
    tb, count = error.__traceback__, 0
    while tb:
        tb, count = tb.tb_next, count + 1
    print(count)
