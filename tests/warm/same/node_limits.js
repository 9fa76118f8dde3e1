// job: {"limits": {"processes": 20, "disk_bytes": 8388608, "cpu_ms": 7000}}
console.log(require('fs').readFileSync('/proc/self/limits', 'utf8'));
console.log(require('fs').statfsSync('/work').blocks, require('fs').statfsSync('/work').files);
