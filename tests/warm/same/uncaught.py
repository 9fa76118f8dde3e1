def deeper(x):
    return 1 / x

class Own(Exception):
    pass

try:
    deeper(0)
except ZeroDivisionError as error:
    raise Own("because", 7) from error
