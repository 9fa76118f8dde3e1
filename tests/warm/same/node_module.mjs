import { runMain, globalPaths, createRequire } from 'node:module';
import path, { resolve } from 'node:path';
console.log(import.meta.url, import.meta.filename, process.argv, typeof runMain, globalPaths, resolve === path.resolve, resolve('main.mjs'));
const require = createRequire(import.meta.url);
console.log(require.main, Object.keys(require('module')._pathCache).length);
console.log((await import('node:fs')).readdirSync('.'));
throw new Error('at the end');
