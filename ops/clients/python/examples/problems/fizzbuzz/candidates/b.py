for n in range(1, int(input())):
    print("Fizz" * (n % 3 == 0) + "Buzz" * (n % 5 == 0) or n)
