-- Spends of a quota by the same rule as in memory (see memory.rs): what was spent in the window before counts by how much of
-- it still overlaps. Numbers stay below 2^53, up to which they are exact.
local key = KEYS[1]
local cost, units, window_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
-- The least that is decided about: whoever only looks asks whether one more would do.
local least = math.max(cost, 1)

local spent = redis.call('HMGET', key, 'window', 'current', 'previous')
local current, previous = tonumber(spent[2] or 0), tonumber(spent[3] or 0)
local window = math.floor(now_ms / window_ms)
if window ~= tonumber(spent[1] or -1) then
  if window == tonumber(spent[1] or -1) + 1 then previous = current else previous = 0 end
  current = 0
end

local into_ms = now_ms - window * window_ms
local used = current + math.ceil(previous * (window_ms - into_ms) / window_ms)
local left = math.max(units - used, 0)
local reset_ms = window_ms - into_ms
if current > 0 then reset_ms = reset_ms + window_ms end

-- How far into a window the count of the one before has faded to so much room.
local function fades_ms(count, room)
  if count <= room then return 0 end
  return window_ms - math.min(math.floor(room * window_ms / count), window_ms)
end

if used + least > units then
  local wait_ms
  if units - current - least >= 0 then
    wait_ms = math.max(fades_ms(previous, units - current - least) - into_ms, 1)
  elseif units - least >= 0 then
    wait_ms = window_ms - into_ms + fades_ms(current, units - least)
  else
    wait_ms = window_ms
  end
  return {0, left, reset_ms, wait_ms}
end
if cost > 0 then
  redis.call('HSET', key, 'window', window, 'current', current + cost, 'previous', previous)
  redis.call('PEXPIRE', key, 2 * window_ms - into_ms)
end
return {1, left - cost, reset_ms, 0}
