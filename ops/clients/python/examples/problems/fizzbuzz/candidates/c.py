n = int(input())
while n:
    pass
