// Starts another Node with an inspector that waits for a debugger, from a child. Held by seccomp, which children inherit.
// expect: refused socket
const { contained, escaped } = require('./probe')
const child = require('child_process').spawnSync(process.execPath, ['--inspect=127.0.0.1:0', '-e', '0'], { encoding: 'utf8' })
child.stderr.includes('Debugger listening') ? escaped(child.stderr) : contained(child.stderr.trim())
