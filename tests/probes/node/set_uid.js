// expect: refused setuid
// Becomes root from Node. Held by seccomp and the missing capability.
const { attempt } = require('./probe')
attempt(() => process.setuid(0))
