// expect: refused inotify_init1
// Watches shared files from Node. Held by seccomp.
const { contained, escaped } = require('./probe')
try {
  require('fs').watch('/usr/bin')
} catch (error) { contained(error.code) }
escaped('watching')
