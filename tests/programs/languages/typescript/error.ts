interface Never { happens: boolean }

const fail = (why: string): Never => { throw new Error(why); };
fail('broken');
