// job: {"args": ["x"]}
const { fork } = require('child_process');
if (process.send) {
    process.send([process.argv, process.execArgv, process.env]);
} else {
    fork(__filename, ['y']).on('message', said => console.log(said)).on('exit', code => console.log('ended', code));
}
