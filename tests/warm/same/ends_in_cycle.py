class Told:
    def __del__(self):
        print("told", bool(self.itself))
one = Told()
one.itself = one
del one, Told
