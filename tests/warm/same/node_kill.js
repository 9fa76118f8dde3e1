process.on('SIGUSR2', () => { console.log('usr2'); process.kill(process.pid, 'SIGTERM'); });
process.kill(process.pid, 'SIGUSR2');
setInterval(() => {}, 1000);
