def numbers():
    try:
        yield 1
    finally:
        print("closed")
one = numbers()
next(one)
