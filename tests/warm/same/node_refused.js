const { spawnSync } = require('child_process');
console.log(spawnSync('/usr/bin/unshare', ['-U', 'true']).status);
console.log(spawnSync('/usr/bin/python3', ['-c', 'import os; os.mkdir("a"); print(1)']).error?.code);
