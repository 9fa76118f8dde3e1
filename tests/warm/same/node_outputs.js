// job: {"outputs": ["out/*"]}
const fs = require('fs');
fs.mkdirSync('out');
fs.writeFileSync('out/a.txt', 'made');
