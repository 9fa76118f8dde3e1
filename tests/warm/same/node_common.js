// job: {"files": [{"path": "lib/index.js", "content": "exports.of = module.parent.filename"}], "entrypoint": "deep/app.cjs"}
console.log(require('../lib'), require.main === module, process.argv, Object.keys(require.cache), require('path').resolve('/work/main.js'));
try {
    require('/work/main.js');
} catch (error) {
    console.log(error.code);
}
throw new Error(require('path').resolve('app.cjs'));
