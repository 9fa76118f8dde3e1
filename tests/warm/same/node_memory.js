// job: {"limits": {"memory_bytes": 134217728}}
const all = [];
for (;;) all.push(Buffer.alloc(1 << 20, 1));
