// Loads machine code that it brought along. Held by noexec.
const { attempt } = require('./probe')
const fs = require('fs')
const library = fs.readdirSync('/usr/lib/x86_64-linux-gnu').find(name => name.startsWith('libm.so'))
fs.copyFileSync(`/usr/lib/x86_64-linux-gnu/${library}`, '/work/own.node')
attempt(() => process.dlopen({ exports: {} }, '/work/own.node'))
