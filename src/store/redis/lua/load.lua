-- KEYS: record
local found = redis.pcall('HGETALL', KEYS[1])
if found.err then
  return {'type', redis.call('TYPE', KEYS[1]).ok}
end
return {'found', text(clock()), found}
