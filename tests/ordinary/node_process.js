// What Node knows about itself and the machine.
const os = require('os')
const known = [os.cpus().length > 0, os.totalmem() > 0, os.userInfo().username === 'job', os.tmpdir() === '/tmp',
  process.cwd() === '/work', process.uptime() > 0, process.resourceUsage().maxRSS > 0, os.loadavg().length === 3]
console.log(known.every(Boolean) ? 'ok' : known)
