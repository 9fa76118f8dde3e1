const hooks = require('async_hooks');
console.log(hooks.executionAsyncId(), hooks.triggerAsyncId());
const kinds = [];
hooks.createHook({ init(id, kind) { kinds.push(kind); } }).enable();
setTimeout(() => console.log(kinds), 1);
