const { executionAsyncId, AsyncResource } = require('async_hooks');
console.log(executionAsyncId(), new AsyncResource('x').asyncId() < 100, process.listenerCount('warning'), process._getActiveHandles().length, process._getActiveRequests().length);
console.log(process.getActiveResourcesInfo());
