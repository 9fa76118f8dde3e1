# job: {"limits": {"memory_bytes": 50331648}}
print("starts")
x = bytearray(200 << 20)
print(len(x))
