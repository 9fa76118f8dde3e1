# The same, where the collector has come by itself.
class Loud:
    def __del__(self):
        print("gone")
loud = Loud()
many = [[number] for number in range(300_000)]
del many
