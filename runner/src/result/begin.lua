-- Looks whether a job may start, and says that it runs here, in one step: a job must not be called running once it is
-- done, nor be run by two.
-- KEYS: result, mark of cancellation, state; of the tenant: limits, limits of all, running jobs, queued jobs; routes;
--       channel of hints
-- ARGV: runner, instance, since (ms), since (text), seconds to keep, most attempts, prefix of heartbeats,
--       an instance known to be dead, whether a missing heartbeat means death, whether a suspect may start,
--       id, whether it runs already, the tenant's route if it has one, the tenant
-- Of the tenant's running jobs those whose runners live; the others' places come free.
local function count_running()
  local lives = {}
  local jobs = redis.call('HGETALL', KEYS[6])
  local count = 0
  for at = 1, #jobs, 2 do
    local instance, runner = string.match(jobs[at + 1], '^(%S*) (.*)$')
    local owner = runner or ''
    if lives[owner] == nil then lives[owner] = redis.call('HGET', ARGV[7] .. owner, 'instance') end
    if instance == ARGV[8] or lives[owner] and lives[owner] ~= instance or not lives[owner] and ARGV[9] == '1' then
      redis.call('HDEL', KEYS[6], jobs[at])
    else
      count = count + 1
    end
  end
  return count
end
if redis.call('EXISTS', KEYS[1]) == 1 then return { 'done' } end
local found = redis.call('HMGET', KEYS[3], 'state', 'instance', 'runner', 'attempt', 'started_at', 'history', 'not_before')
local state, instance, runner, attempt, started_at = unpack(found, 1, 5)
-- Its result has expired.
if state == 'done' then return { 'done' } end
local history = history_of(found[6])
local not_before = tonumber(found[7] or 0)
if state == 'running' and instance ~= ARGV[2] then
  local beat = redis.call('HMGET', ARGV[7] .. (runner or ''), 'instance', 'host', 'pid')
  local lives = beat[1] and beat[1] == instance or not beat[1] and ARGV[9] ~= '1'
  if lives and instance ~= ARGV[8] then
    return { 'elsewhere', instance or '', beat[2] or '', beat[3] or '' }
  end
  not_before = note(KEYS[3], history, attempt or 1, runner or '', started_at or ARGV[4], 'runner_lost')
end
local earlier = #history > 0 and cjson.encode(history) or '[]'
if redis.call('EXISTS', KEYS[2]) == 1 then return { 'cancelled', earlier } end
if failures_in(history) >= tonumber(ARGV[6]) then return { 'deadly', earlier } end
local wait = not_before - now_ms()
-- What may have killed its runner runs beside no other of its kind, which would be blamed for it.
if wait <= 0 and failures_in(history) > 0 and ARGV[10] ~= '1' then wait = 300 end
if wait > 0 then return { 'later', string.format('%.0f', wait) } end
-- Whoever waits for its turn is not idle.
if ARGV[13] ~= '' then redis.call('ZADD', KEYS[8], now_ms(), ARGV[13]) end
local most = redis.call('HGET', KEYS[4], 'max_running') or redis.call('HGET', KEYS[5], 'max_running')
most = tonumber(most or 0) or 0
if most > 0 and ARGV[12] ~= '1' and redis.call('HEXISTS', KEYS[6], ARGV[11]) == 0
  and redis.call('HLEN', KEYS[6]) >= most and count_running() >= most then
  return { 'limited' }
end
redis.call('HSET', KEYS[6], ARGV[11], ARGV[2] .. ' ' .. ARGV[1])
redis.call('ZREM', KEYS[7], ARGV[11])
redis.call('HSET', KEYS[3], 'state', 'running', 'attempt', #history + 1, 'runner', ARGV[1], 'instance', ARGV[2],
  'since', ARGV[3], 'started_at', ARGV[4])
redis.call('HDEL', KEYS[3], 'not_before')
-- Whose it is, where no client has said so or that was forgotten.
redis.call('HSETNX', KEYS[3], 'tenant', ARGV[14])
redis.call('EXPIRE', KEYS[3], ARGV[5])
redis.call('PUBLISH', KEYS[9], 'running')
return { 'begun', earlier }
