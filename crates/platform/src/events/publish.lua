-- Adds the places of events to the stream of a handler, unless somebody else has added some since the caller looked, and takes
-- away what the handler has taken. As one script, so that of two who publish one adds a run of places without gaps and the
-- other learns of it.
--
-- KEYS[1] the stream
-- ARGV[1] its group
-- ARGV[2] the last place that the caller knows of in it; 0 for none
-- ARGV[3] the first place that the handler still needs
-- ARGV[4] how many entries it may hold
-- ARGV[5..] pairs of a place and a type
-- Returns the last place that was ever in it, and how many entries it still has room for.
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then
  redis.call('XGROUP', 'CREATE', stream, ARGV[1], '0', 'MKSTREAM')
end
redis.call('XTRIM', stream, 'MINID', ARGV[3])
local info = redis.call('XINFO', 'STREAM', stream)
local last
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then
    last = string.match(info[i + 1], '^%d+')
  end
end
local room = tonumber(ARGV[4]) - redis.call('XLEN', stream)
if last == ARGV[2] then
  for i = 5, #ARGV, 2 do
    if room <= 0 then
      break
    end
    redis.call('XADD', stream, ARGV[i] .. '-0', 'type', ARGV[i + 1])
    last = ARGV[i]
    room = room - 1
  end
end
return {tonumber(last), room}
