// Code in contexts, and the assertions of tests.
const vm = require('vm'), assert = require('assert')
assert.strictEqual(vm.runInNewContext('a + 1', { a: 41 }), 42)
assert.throws(() => vm.runInNewContext('while (true);', {}, { timeout: 20 }), { code: 'ERR_SCRIPT_EXECUTION_TIMEOUT' })
assert.deepStrictEqual(structuredClone(new Map([[1, { a: [2] }]])), new Map([[1, { a: [2] }]]))
console.log('ok')
