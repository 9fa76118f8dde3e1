(program, args) => {
    const own = process.argv[1];
    process.argv.splice(1, 1, program, ...args);
    if (program === own) return;
    // The path of the program was read before the job came. It is resolved once more, then looked up by both ways in
    // which modules are loaded.
    const path = process.getBuiltinModule('path');
    const { resolve } = path;
    path.resolve = (...words) => {
        if (words.length !== 1 || words[0] !== own) return resolve(...words);
        path.resolve = resolve;
        process.getBuiltinModule('module')._pathCache[`${own}\0`] = program;
        return program;
    };
}
