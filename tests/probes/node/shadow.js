// Reads the host's password hashes from Node. Held by the cell's own root and the uid.
const { attempt } = require('./probe')
attempt(() => require('fs').readFileSync('/etc/shadow', 'utf8').length)
