# job: {"limits": {"cpu_ms": 200}}
print("starts")
while True:
    pass
