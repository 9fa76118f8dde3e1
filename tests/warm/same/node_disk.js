// job: {"limits": {"disk_bytes": 4194304}}
const fs = require('fs');
const file = fs.openSync('big', 'w');
for (;;) fs.writeSync(file, Buffer.alloc(1 << 20, 1));
