-- Only the first result is stored, and only what is stored is announced.
-- KEYS: result, state, channel; of the tenant: running jobs, usage of the day; tenants; the tenant's queued jobs
-- ARGV: result, seconds to keep it, attempt, runner, instance, status, prefix of heartbeats, seconds to keep the state,
--       id, seconds to keep the usage, tenant, then names and amounts of what was used
-- Last of all: a full Redis lets a script that has written anything write on.
local function leave(word)
  -- Its place among the tenant's running jobs comes free, unless somebody else runs it.
  if redis.call('HGET', KEYS[4], ARGV[9]) == ARGV[5] .. ' ' .. ARGV[4] then redis.call('HDEL', KEYS[4], ARGV[9]) end
  -- One that was begun while Redis was away still stands there.
  redis.call('ZREM', KEYS[7], ARGV[9])
  return word
end
local found = redis.call('HMGET', KEYS[2], 'state', 'instance', 'runner')
if redis.call('EXISTS', KEYS[1]) == 1 then
  if found[1] ~= 'done' or found[2] ~= ARGV[5] then return leave('other') end
  -- Our own, whose answer was lost. Written anew, so that this connection has something that replicas can confirm.
  redis.call('HSET', KEYS[2], 'state', 'done')
  return leave('stored')
end
-- Whoever runs it now is to have the word: what it does would otherwise come after its result.
if found[1] == 'running' and found[2] ~= ARGV[5] and found[2]
  and redis.call('HGET', ARGV[7] .. (found[3] or ''), 'instance') == found[2] then
  return leave('elsewhere')
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('HSET', KEYS[2], 'state', 'done', 'attempt', ARGV[3], 'runner', ARGV[4], 'instance', ARGV[5])
redis.call('HSETNX', KEYS[2], 'tenant', ARGV[11])
redis.call('HDEL', KEYS[2], 'history', 'not_before', 'started_at', 'metadata')
redis.call('EXPIRE', KEYS[2], ARGV[8])
for at = 12, #ARGV, 2 do redis.call('HINCRBY', KEYS[5], ARGV[at], ARGV[at + 1]) end
-- The first of the day.
if redis.call('HGET', KEYS[5], 'jobs') == '1' then
  redis.call('EXPIRE', KEYS[5], ARGV[10])
  redis.call('SADD', KEYS[6], ARGV[11])
end
redis.call('PUBLISH', KEYS[3], ARGV[6])
return leave('stored')
