class Odd(int):
    def __int__(self): return 9
    def __and__(self, other): return 9
    def __le__(self, other): return False
raise SystemExit(Odd(4))
