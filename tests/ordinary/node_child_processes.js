// Child processes: exec, spawn, fork with messages.
const { execFileSync, spawn, fork } = require('child_process')
if (process.argv[2] === 'child') {
  process.on('message', text => { process.send(text.toUpperCase()); process.disconnect() })
} else {
  if (execFileSync('/bin/echo', ['hello'], { encoding: 'utf8' }) !== 'hello\n') throw new Error('echo')
  const cat = spawn('cat')
  cat.stdout.on('data', data => {
    const child = fork(__filename, ['child'])
    child.on('message', answer => console.log(answer === 'TEXT' ? 'ok' : answer))
    child.send(String(data))
  })
  cat.stdin.end('text')
}
