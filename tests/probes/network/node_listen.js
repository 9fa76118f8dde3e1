// expect: refused socket
// Opens a server in Node. Held by seccomp, and behind it by Landlock and the empty network.
const { contained, escaped } = require('./probe')
require('http').createServer().listen(0, '127.0.0.1', () => escaped('listening')).on('error', error => contained(error.code))
