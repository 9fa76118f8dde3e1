preload => {
    for (const name of preload) {
        if (!process.getBuiltinModule(name)) throw new Error(`there is no ${name}`);
    }
    // Functions are compiled when they are first called. Nearly every program is read from a file, and prints; nothing
    // but the compiled code is left behind.
    const fs = process.getBuiltinModule('fs');
    fs.readFileSync(fs.realpathSync('/dev/null'), 'utf8');
    const { Socket } = process.getBuiltinModule('net');
    new Socket({ readable: false, writable: true });
    const { Console } = process.getBuiltinModule('console');
    const { Writable } = process.getBuiltinModule('stream');
    const nowhere = new Writable({ write() {} });
    // Asking for colours would open process.stderr, which is not there yet.
    new Console({ stdout: nowhere, stderr: nowhere, colorMode: false }).log('', 0);
}
