(program, args) => {
    const own = process.argv[1];
    process.argv.splice(1, 1, program, ...args);
    if (program === own) return;
    // Its own was read before the job came. It is resolved once more when all is set up, and looked up once by require.
    const path = process.getBuiltinModule('path');
    const { resolve } = path;
    path.resolve = (...words) => {
        if (words.length !== 1 || words[0] !== own) return resolve(...words);
        path.resolve = resolve;
        const cache = process.getBuiltinModule('module')._pathCache;
        const key = `${own}\0`;
        const get = () => {
            delete cache[key];
            return program;
        };
        if (!program.endsWith('.mjs')) Object.defineProperty(cache, key, { get, configurable: true });
        return program;
    };
}
