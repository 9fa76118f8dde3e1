// Leaves a module where every other job's Node would find it. Held by the read-only mount and Landlock.
const { attempt } = require('./probe')
attempt(() => require('fs').writeFileSync('/usr/lib/node_modules.probe', ''))
