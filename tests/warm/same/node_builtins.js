const names = require('module').builtinModules;
for (const name of names) {
    if (name === 'trace_events' || name.startsWith('_')) continue;
    console.log(name, Object.keys(require(name)).length);
}
console.log(Object.getOwnPropertyNames(globalThis), Object.getOwnPropertyNames(require('path')), Object.getOwnPropertyNames(require('module')));
console.log(require('path').resolve.name, require('path').resolve('a'), process.listeners('exit').length, process.eventNames());
