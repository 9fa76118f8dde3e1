// Worker threads with messages and shared memory.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads')
if (isMainThread) {
  const shared = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(__filename, { workerData: shared })
  worker.on('message', text => { if (Atomics.load(shared, 0) === 7) console.log(text) })
} else {
  Atomics.store(workerData, 0, 7)
  parentPort.postMessage('ok')
}
