-- Takes back that a job is queued. Only what was said here is taken back, and that something was sent is not forgotten:
-- a broker that refuses a message does not swear that it has not stored it.
-- KEYS: state, the tenant's queued jobs
-- ARGV: when it was said (ms), id
local said = redis.call('HMGET', KEYS[1], 'state', 'enqueued_at')
if said[1] == 'queued' and said[2] == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'state')
  redis.call('ZREM', KEYS[2], ARGV[2])
end
return 0
