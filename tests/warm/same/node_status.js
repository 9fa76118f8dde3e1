const fs = require('fs');
const kept = /^(Name|Umask|State|Tgid|Pid|PPid|TracerPid|Threads|Sig|Shd|Cap|NoNewPrivs|Seccomp)/;
console.log(fs.readFileSync('/proc/self/status', 'utf8').split('\n').filter(line => kept.test(line)).join('\n'));
console.log(fs.readFileSync('/proc/self/cmdline', 'utf8'), process.pid, process.ppid, process.umask(), fs.readdirSync('.'));
console.log(require('child_process').execFileSync('/bin/sh', ['-c', 'ulimit -a; umask; env']).toString());
