// expect: refused socket
// Connects to a service of the host from Node. Held by seccomp, and behind it by the empty network and Landlock.
const { contained, escaped, bait } = require('./probe')
require('net').connect(Number(bait('port')), '127.0.0.1')
  .on('connect', () => escaped('connected'))
  .on('error', error => contained(error.code))
