-- What begin and release have in common: the history of a job's attempts, a JSON list in its state.
local function history_of(text)
  return text and text ~= '' and cjson.decode(text) or {}
end
-- Those after which it is not simply somebody else's turn.
local function failures_in(history)
  local count = 0
  for _, one in ipairs(history) do
    if one.ended ~= 'given_back' then count = count + 1 end
  end
  return count
end
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- Notes how an attempt ended, and when the next may begin: after 1 s, 2 s, 4 s, at most 30 s.
local function note(key, history, attempt, runner, started_at, ended)
  history[#history + 1] = {
    attempt = tonumber(attempt), runner = runner, started_at = started_at, ended = ended,
  }
  local pause = 0
  if ended ~= 'given_back' then pause = math.min(1000 * 2 ^ (failures_in(history) - 1), 30000) end
  local not_before = string.format('%.0f', now_ms() + pause)
  redis.call('HSET', key, 'state', 'queued', 'history', cjson.encode(history), 'not_before', not_before)
  return tonumber(not_before)
end
