// job: {"limits": {"wall_ms": 200}}
console.log('before');
setInterval(() => {}, 1000);
