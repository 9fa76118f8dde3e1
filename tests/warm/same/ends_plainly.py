class Point:
    def __init__(self, x):
        self.x = x
    @property
    def twice(self):
        return self.x * 2
class Wrong(Exception):
    pass
points = [Point(n) for n in range(5)]
table = {n: lambda n=n: n for n in range(5)}
def closed():
    count = 0
    def more():
        nonlocal count
        count += 1
        return count
    return more
more = closed()
print(sum(p.twice for p in points), table[3](), more(), more())
