-- Says that a job is queued, unless it has run, is another tenant's, or its tenant sends too much; and what was known of
-- it before. An id is new if nothing at all is known of it, not even that it was cancelled ahead. It belongs to the tenant
-- who was first to send it; what an older client or a stranger wrote, to the default one.
-- KEYS: result, state, mark of cancellation; of the tenant: limits, limits of all, rate, queued jobs; routes
-- ARGV: now (ms), seconds to keep, metadata (JSON, or empty), id, tenant, the tenant's route if it has one,
--       milliseconds for which a route is served after its last use, the default tenant
local existed = redis.call('EXISTS', KEYS[2]) == 1
local owner = redis.call('HGET', KEYS[2], 'tenant') or existed and ARGV[8] or ARGV[5]
if owner ~= ARGV[5] then return { 'taken' } end
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HGET', KEYS[2], 'state') == 'done' then return { 'done' } end
local known = redis.call('EXISTS', KEYS[2], KEYS[3])
-- One that was refused is known, and does not wait.
local waits = redis.call('HEXISTS', KEYS[2], 'state') == 1
local own = redis.call('HMGET', KEYS[4], 'max_queued', 'rate', 'burst')
local all = redis.call('HMGET', KEYS[5], 'max_queued', 'rate', 'burst')
local function limit(number) return tonumber(own[number] or all[number] or 0) or 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local max_queued, rate, burst = limit(1), limit(2), limit(3)
if max_queued > 0 and not waits then
  redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', now - ARGV[2] * 1000)
  if redis.call('ZCARD', KEYS[7]) >= max_queued then return { 'limited', 'max_queued', '1000' } end
end
if rate > 0 then
  -- When the next one would be due if they came evenly; a burst may be ahead of that.
  local step = 1000 / rate
  local due = math.max(tonumber(redis.call('GET', KEYS[6]) or 0), now)
  local wait = due - now - step * ((burst > 0 and burst or math.max(rate, 1)) - 1)
  if wait > 0.001 then return { 'limited', 'rate', string.format('%.0f', math.ceil(wait)) } end
  redis.call('SET', KEYS[6], string.format('%.3f', due + step), 'PX', math.ceil(due + step - now))
end
if max_queued > 0 and not waits then redis.call('ZADD', KEYS[7], now, ARGV[4]) end
if redis.call('HSETNX', KEYS[2], 'state', 'queued') == 1 then
  redis.call('HSET', KEYS[2], 'enqueued_at', ARGV[1])
  if ARGV[3] ~= '' then redis.call('HSET', KEYS[2], 'metadata', ARGV[3]) end
end
redis.call('HSET', KEYS[2], 'tenant', owner)
redis.call('EXPIRE', KEYS[2], ARGV[2])
local is_served = 'served'
if ARGV[6] ~= '' then
  local used = tonumber(redis.call('ZSCORE', KEYS[8], ARGV[6]) or 0)
  if now - used >= tonumber(ARGV[7]) then is_served = 'unserved' end
  redis.call('ZADD', KEYS[8], string.format('%.0f', now), ARGV[6])
end
return { known == 0 and 'new' or 'known', is_served }
