const fs = require('fs');
const open = fs.readdirSync('/proc/self/fd').map(fd => {
    try { return `${fd} ${fs.readlinkSync(`/proc/self/fd/${fd}`).replace(/\d{2,}/g, 'N')}`; } catch (error) { return `${fd} ${error.code}`; }
});
console.log(open, fs.openSync('/dev/null'));
