// job: {"env": {"HOME": "/tmp", "TOKEN": "a=b", "B": ""}}
console.log(process.env, Object.keys(process.env), require('module').globalPaths, require('os').homedir());
console.log(require('child_process').execFileSync('/usr/bin/env').toString());
