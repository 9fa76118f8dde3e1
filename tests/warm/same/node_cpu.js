// job: {"limits": {"cpu_ms": 300}}
for (;;);
