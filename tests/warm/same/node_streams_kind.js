// job: {"stdin": "one\ntwo\n"}
const fs = require('fs');
for (const [name, stream] of Object.entries({ in: process.stdin, out: process.stdout, err: process.stderr })) {
    const stat = fs.fstatSync(stream.fd);
    console.log(name, stream.fd, stream.constructor.name, stream.isTTY, stream.writableHighWaterMark, stat.isFIFO(), stream._type);
}
let all = '';
process.stdin.on('data', data => { all += data; }).on('end', () => console.log(JSON.stringify(all)));
