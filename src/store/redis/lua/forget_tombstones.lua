-- KEYS: tombstones, index. ARGV: age, how many, beginning of the keys of records
local latest = '+inf'
if ARGV[1] ~= '0' then
  latest = text(clock() - tonumber(ARGV[1]))
end
local services = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', latest, 'LIMIT', 0, ARGV[2])
local forgotten = 0
for _, service in ipairs(services) do
  local key = ARGV[3] .. service
  local kind = redis.pcall('HGET', key, 'kind')
  redis.call('ZREM', KEYS[1], service)
  if kind == 'tombstone' then
    redis.call('ZREM', KEYS[2], service)
    redis.call('DEL', key)
    forgotten = forgotten + 1
  end
end
return {#services, forgotten}
