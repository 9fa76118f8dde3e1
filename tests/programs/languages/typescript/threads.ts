import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

if (isMainThread) {
    const start = (number: number): Promise<number> => new Promise((done, failed) => {
        const worker = new Worker(fileURLToPath(import.meta.url), { workerData: number });
        worker.on('message', done).on('error', failed);
    });
    const squares: number[] = await Promise.all([0, 1, 2, 3].map(start));
    console.log(squares.reduce((sum, one) => sum + one));
} else {
    const number = workerData as number;
    parentPort!.postMessage(number * number);
}
