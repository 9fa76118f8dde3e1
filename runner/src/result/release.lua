-- The job does not run here any more: it waits again, unless somebody else has begun it meanwhile.
-- KEYS: state, the tenant's running jobs
-- ARGV: instance, how the attempt ended, id, runner
if redis.call('HGET', KEYS[2], ARGV[3]) == ARGV[1] .. ' ' .. ARGV[4] then redis.call('HDEL', KEYS[2], ARGV[3]) end
local found = redis.call('HMGET', KEYS[1], 'state', 'instance', 'runner', 'attempt', 'started_at', 'history')
if found[1] == 'running' and found[2] == ARGV[1] then
  note(KEYS[1], history_of(found[6]), found[4] or 1, found[3] or '', found[5] or '', ARGV[2])
end
return 0
