-- Says that a job is queued, unless something is said of it already, and what was known of it before: `new` is an id of
-- which nothing at all is known, not even that it was cancelled ahead.
-- KEYS: result, state, mark of cancellation
-- ARGV: now (ms), seconds to keep, metadata (JSON, or empty)
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HGET', KEYS[2], 'state') == 'done' then return 'done' end
local known = redis.call('EXISTS', KEYS[2], KEYS[3])
if redis.call('HSETNX', KEYS[2], 'state', 'queued') == 1 then
  redis.call('HSET', KEYS[2], 'enqueued_at', ARGV[1])
  if ARGV[3] ~= '' then redis.call('HSET', KEYS[2], 'metadata', ARGV[3]) end
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return known == 0 and 'new' or 'known'
