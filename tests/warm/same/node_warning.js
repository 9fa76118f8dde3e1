process.emitWarning('careful', 'DeprecationWarning', 'X1');
new Buffer(1);
console.log(process.moduleLoadList.length > 0);
