process.on('exit', code => console.log('exit', code));
process.stdout.write('x'.repeat(200000) + '\n');
process.stderr.write('y'.repeat(200000) + '\n');
process.exit(3);
