-- KEYS: instances. ARGV: age, how many, beginning of the keys of instances
local latest = '+inf'
if ARGV[1] ~= '0' then
  latest = text(clock() - tonumber(ARGV[1]))
end
local runs = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', latest, 'LIMIT', 0, ARGV[2])
for _, run in ipairs(runs) do
  redis.call('ZREM', KEYS[1], run)
  redis.call('DEL', ARGV[3] .. run)
end
return #runs
