const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

if (isMainThread) {
    const start = number => new Promise((done, failed) => {
        const worker = new Worker(__filename, { workerData: number });
        worker.on('message', done).on('error', failed);
    });
    Promise.all([0, 1, 2, 3].map(start)).then(squares => console.log(squares.reduce((sum, one) => sum + one)));
} else {
    parentPort.postMessage(workerData * workerData);
}
