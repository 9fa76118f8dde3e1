process.on('exit', code => { console.log('exit', code, process.exitCode); process.exitCode = 9; });
process.on('beforeExit', code => console.log('before', code));
process.exitCode = 5;
