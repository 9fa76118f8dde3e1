// job: {"stdin": "one\ntwo\n"}
console.log(require('fs').readFileSync(0, 'utf8'), require('fs').readFileSync('/dev/stdin').length);
