# job: {"limits": {"disk_bytes": 262144}}
with open("x", "wb") as out:
    for _ in range(100):
        out.write(bytes(65536))
