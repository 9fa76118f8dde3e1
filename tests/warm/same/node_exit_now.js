process.on('exit', code => console.log('exit', code));
process.stdout.write('x'.repeat(30000) + '\n');
process.stderr.write('y'.repeat(30000) + '\n');
process.exit(3);
