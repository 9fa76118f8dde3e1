// Timers, immediates, microtasks and abort signals.
const timers = require('timers/promises')
const main = async () => {
  const order = []
  setImmediate(() => order.push('immediate')); process.nextTick(() => order.push('tick'))
  Promise.resolve().then(() => order.push('micro'))
  await timers.setTimeout(20)
  const stopped = await timers.setTimeout(1e6, null, { signal: AbortSignal.timeout(10) }).catch(error => error.name)
  console.log(order.join() === 'tick,micro,immediate' && stopped === 'AbortError' ? 'ok' : order)
}
main()
