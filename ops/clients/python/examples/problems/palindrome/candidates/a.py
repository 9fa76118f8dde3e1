text = [letter for letter in input().lower() if letter.isalnum()]
print("yes" if text == text[::-1] else "no")
