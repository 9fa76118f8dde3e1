# job: {"limits": {"output_bytes": 1000}}
while True:
    print("x" * 100)
