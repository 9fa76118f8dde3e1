// expect: refused socket
// Opens Node's own debugger to the world. Held by seccomp, and behind it by Landlock and the empty network.
const { contained, escaped } = require('./probe')
const inspector = require('inspector')
try { inspector.open(0, '127.0.0.1') } catch (error) { contained(error.code) }
const url = inspector.url()
url ? escaped(url) : contained('no address')
