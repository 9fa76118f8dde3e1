-- Cancels a job. What is done stays as it is, what is queued is done now, and anything else is marked: an id that is not
-- known may belong to a job that a foreign client has sent. What is in the result need not stay in the state.
-- KEYS: result, mark of cancellation, state, channel
-- ARGV: result, seconds to keep it, seconds to keep the state, message; what the key of a tenant's queued jobs begins and
--       ends with; id
local state, tenant = unpack(redis.call('HMGET', KEYS[3], 'state', 'tenant'))
if redis.call('EXISTS', KEYS[1]) == 1 or state == 'done' then return 'done' end
redis.call('SET', KEYS[2], '1', 'EX', ARGV[3])
if state ~= 'queued' then return state or '' end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('HSET', KEYS[3], 'state', 'done')
if tenant then redis.call('ZREM', ARGV[5] .. tenant .. ARGV[6], ARGV[7]) end
redis.call('HDEL', KEYS[3], 'instance', 'history', 'not_before', 'started_at', 'metadata')
redis.call('EXPIRE', KEYS[3], ARGV[3])
redis.call('PUBLISH', KEYS[4], ARGV[4])
return state
