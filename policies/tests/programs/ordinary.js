// What ordinary Node programs do. Each entry is one habit; every one has to work and none may be refused anything.
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { promisify } = require('util');
const once = require('events').once;

const habits = {
  async timers() {
    await require('timers/promises').setTimeout(5);
    await new Promise(setImmediate);
    performance.now(), process.hrtime.bigint(), process.memoryUsage(), process.resourceUsage(), process.cpuUsage(), process.uptime();
  },
  async files() {
    const folder = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'gb-'));
    const at = (name) => path.join(folder, name);
    await fs.promises.writeFile(at('a'), 'hello');
    await fs.promises.appendFile(at('a'), ' world');
    await fs.promises.copyFile(at('a'), at('b'));
    await fs.promises.copyFile(at('a'), at('r'), fs.constants.COPYFILE_FICLONE);
    await fs.promises.cp(folder, folder + '2', { recursive: true });
    await fs.promises.rename(at('b'), at('c'));
    await fs.promises.symlink(at('c'), at('s'));
    await fs.promises.link(at('c'), at('l'));
    await fs.promises.chmod(at('c'), 0o600);
    await fs.promises.utimes(at('c'), 1, 2);
    await fs.promises.truncate(at('c'), 3);
    await fs.promises.readdir(folder, { withFileTypes: true, recursive: true });
    await fs.promises.stat(at('c')), await fs.promises.lstat(at('s')), await fs.promises.realpath(at('s')), await fs.promises.access(at('c'));
    await fs.promises.statfs(folder);
    const file = await fs.promises.open(at('c'), 'r+');
    await file.sync(), await file.datasync(), await file.read(Buffer.alloc(3), 0, 3, 0), await file.close();
    for (const source of ['/usr/bin/env', at('a')]) { // from another file system, and to one
      for (const target of [at('copy'), '/dev/shm/glovebox-copy-js']) {
        await fs.promises.copyFile(source, target);
        assert(fs.readFileSync(source).equals(fs.readFileSync(target)));
        fs.rmSync(target);
      }
    }
    const changed = new Promise((resolve) => fs.watchFile(at('c'), { interval: 10 }, resolve));
    // Its first look may come after a change, and sees none then.
    const changing = setInterval(() => fs.appendFileSync(at('c'), 'changed'), 5);
    await changed, clearInterval(changing), fs.unwatchFile(at('c'));
    await require('stream/promises').pipeline(fs.createReadStream(at('a')), require('zlib').createGzip(), fs.createWriteStream(at('a.gz')));
    fs.cpSync(at('a'), at('z')), fs.readFileSync('/proc/self/status');
    await fs.promises.rm(folder, { recursive: true }), fs.rmSync(folder + '2', { recursive: true });
  },
  async processes() {
    const child = require('child_process');
    assert.strictEqual((await promisify(child.exec)('echo hi | cat')).stdout, 'hi\n');
    assert.strictEqual(child.execFileSync('/bin/echo', ['x']).toString(), 'x\n');
    assert.strictEqual(child.spawnSync('sh', ['-c', 'exit 3']).status, 3);
    const forked = child.fork(__filename, ['child']);
    forked.send({ a: 1 });
    assert.deepStrictEqual((await once(forked, 'message'))[0], { a: 1 });
    await once(forked, 'exit');
    const sleeping = child.spawn('/bin/sleep', ['10'], { detached: true, stdio: 'ignore' });
    sleeping.kill();
    await once(sleeping, 'exit');
    process.kill(process.pid, 0);
  },
  async workers() {
    const { Worker } = require('worker_threads');
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(`const { workerData, parentPort } = require('worker_threads');
      Atomics.add(workerData, 0, 5); Atomics.notify(workerData, 0); parentPort.postMessage('done')`, { eval: true, workerData: shared });
    await once(worker, 'message');
    assert.strictEqual(Atomics.load(shared, 0), 5);
    Atomics.wait(shared, 0, 5, 5);
    await worker.terminate();
  },
  async crypto() {
    const crypto = require('crypto');
    await promisify(crypto.scrypt)('a', 'b', 32), await promisify(crypto.pbkdf2)('a', 'b', 10, 32, 'sha256'), await promisify(crypto.randomBytes)(16);
    crypto.randomUUID(), crypto.createHash('sha256').update('x').digest('hex'), await promisify(crypto.generateKeyPair)('ec', { namedCurve: 'P-256' });
    await crypto.webcrypto.subtle.digest('SHA-256', Buffer.from('x'));
  },
  async compression() {
    const zlib = require('zlib');
    assert.strictEqual((await promisify(zlib.gunzip)(await promisify(zlib.gzip)('x'))).toString(), 'x');
    await promisify(zlib.brotliCompress)('x');
  },
  async localServer() {
    const http = require('http');
    const server = http.createServer((_, response) => response.end('ok')).listen('http.sock');
    await once(server, 'listening');
    const body = await new Promise((resolve, reject) => http.get({ socketPath: 'http.sock', path: '/' }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text));
    }).on('error', reject));
    assert.strictEqual(body, 'ok');
    server.closeAllConnections(), server.close();
  },
  async engine() {
    const bytes = Buffer.from('0061736d0100000001070160027f7f017f03020100070701036164640000' + '0a09010700200020016a0b', 'hex');
    const wasm = await WebAssembly.instantiate(bytes);
    assert.strictEqual(wasm.instance.exports.add(2, 3), 5);
    assert.strictEqual(new Intl.NumberFormat('de-DE').format(1234.5), '1.234,5');
    new Date().toLocaleString('en-GB', { timeZone: 'Europe/Berlin' }), new Intl.Segmenter('ja').segment('x');
    let sum = 0;
    for (let i = 0; i < 3e6; i++) sum += i % 7;
    assert(sum > 0);
    const much = Array.from({ length: 3e5 }, (_, i) => ({ i }));
    structuredClone(much.slice(0, 1000)), require('vm').runInNewContext('1+1'), await import('node:os'), require('v8').getHeapStatistics();
    new FinalizationRegistry(() => {}), require('v8').serialize(much.slice(0, 10));
  },
  async machine() {
    os.cpus(), os.totalmem(), os.freemem(), os.loadavg(), os.hostname(), os.release(), os.uptime(), os.availableParallelism();
    os.setPriority(5), os.getPriority(), process.umask(), process.cwd(), process.title = 'x', process.getuid(), process.getgroups();
    process.on('SIGUSR2', () => {}), process.kill(process.pid, 'SIGUSR2'), process.stdout.isTTY, process.report.getReport;
    const readline = require('readline').createInterface({ input: fs.createReadStream(__filename) });
    for await (const _ of readline) { /* all lines */ }
    new (require('async_hooks').AsyncLocalStorage)().run(1, () => {}), new BroadcastChannel('x').close();
  },
};

(async () => {
  if (process.argv[2] === 'child') {
    process.once('message', (message) => process.send(message, () => process.disconnect()));
    return;
  }
  const failed = [];
  for (const [name, habit] of Object.entries(habits)) {
    try {
      await habit();
    } catch (error) {
      console.error(error);
      failed.push(name);
    }
  }
  console.log('failed:', failed);
  process.exitCode = failed.length ? 1 : 0;
})();
