// Compression in all of its ways.
const zlib = require('zlib')
const text = Buffer.from('again and '.repeat(5000))
for (const [pack, unpack] of [['gzip', 'gunzip'], ['deflate', 'inflate'], ['brotliCompress', 'brotliDecompress']]) {
  if (!zlib[`${unpack}Sync`](zlib[`${pack}Sync`](text)).equals(text)) throw new Error(pack)
}
zlib.gzip(text, (error, packed) => zlib.gunzip(packed, (error, got) => console.log(got.equals(text) ? 'ok' : error)))
