// A computation that the engine compiles, and memory that it collects.
let sum = 0
for (let turn = 0; turn < 2e6; turn++) sum = (sum + turn * turn) % 1000003
let kept = []
for (let turn = 0; turn < 200; turn++) kept = [new Array(10000).fill(turn)]
const { rss } = process.memoryUsage()
console.log(sum > 0 && kept[0][0] === 199 && rss > 0 ? 'ok' : sum)
