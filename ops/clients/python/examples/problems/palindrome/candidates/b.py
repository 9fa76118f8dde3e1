text = input()
print("yes" if text == text[::-1] else "no")
