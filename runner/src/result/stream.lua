-- Live output; none after the result.
-- KEYS: stream, result, channel of hints
-- ARGV: most chunks, seconds to keep, name of the stream, chunk
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'stream', ARGV[3], 'data', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', KEYS[3], 'output')
return 1
