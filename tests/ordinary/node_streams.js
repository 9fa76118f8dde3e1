// Streams, readline, events and buffers.
const { Readable, Transform } = require('stream'), readline = require('readline'), { once, EventEmitter } = require('events')
const main = async () => {
  const upper = new Transform({ transform(chunk, _, done) { done(null, String(chunk).toUpperCase()) } })
  const lines = []
  for await (const line of readline.createInterface({ input: Readable.from(['a\nb', '\nc']).pipe(upper) })) lines.push(line)
  const emitter = new EventEmitter()
  setTimeout(() => emitter.emit('done', 1), 1)
  await once(emitter, 'done')
  console.log(lines.join('') === 'ABC' && Buffer.from('é').length === 2 ? 'ok' : lines)
}
main()
