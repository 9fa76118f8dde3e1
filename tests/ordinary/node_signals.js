// Signals to itself, exit codes and handlers at the end.
process.on('SIGUSR2', () => { process.exitCode = 0; clearInterval(alive) })
process.on('exit', () => console.log('ok'))
const alive = setInterval(() => {}, 1000)
process.kill(process.pid, 'SIGUSR2')
