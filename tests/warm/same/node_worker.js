// job: {"args": ["x"]}
const { Worker, isMainThread, workerData, threadId } = require('worker_threads');
if (isMainThread) {
    new Worker(__filename, { workerData: 'data' }).on('exit', code => console.log('ended', code));
} else {
    console.log(workerData, threadId, process.argv, process.execArgv, require.main === module, process.env.HOME);
    throw new Error('in a worker');
}
process.on('uncaughtException', error => console.log(error.message));
