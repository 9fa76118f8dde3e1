// expect: refused socket
// Starts another Node that waits for a debugger. Held by seccomp, which children inherit.
const { contained, escaped } = require('./probe')
const child = require('child_process').spawnSync(process.execPath, ['--inspect=127.0.0.1:0', '-e', '0'], { encoding: 'utf8' })
child.stderr.includes('Debugger listening') ? escaped(child.stderr) : contained(child.stderr.trim().split('\n')[0])
