console.log(new Error('shown').stack);
console.trace('here');
Error.stackTraceLimit = 100;
console.log(new Error('all').stack);
