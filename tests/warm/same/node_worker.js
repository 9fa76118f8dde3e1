// job: {"args": ["x"]}
const { Worker, isMainThread, parentPort, workerData, threadId } = require('worker_threads');
if (isMainThread) {
    const said = [];
    new Worker(__filename, { workerData: 'data' })
        .on('message', message => said.push(message))
        .on('error', error => said.push(error.stack));
    process.on('exit', () => console.log(said.map(String).sort()));
} else {
    parentPort.postMessage([workerData, threadId, process.argv, process.execArgv, require.main === module, process.env.HOME]);
    throw new Error('in a worker');
}
