class Odd(SystemExit):
    code = property(lambda self: 1 / 0)
    def __str__(self): return "odd"
raise Odd()
