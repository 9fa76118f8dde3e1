// job: {"args": ["one", "a \"b\" \\ \n c", "ü", "--flag"]}
console.log(process.argv, process.argv0, process.execArgv, process.execPath, process.title, process.cwd());
console.log(require.main === module, module.id, module.filename, __filename, __dirname, module.paths, module.parent, module.children.length);
console.log(Object.keys(require.cache), Object.keys(require('module')._pathCache));
console.log(process.mainModule === module, typeof globalThis.begin, Object.keys(globalThis));
