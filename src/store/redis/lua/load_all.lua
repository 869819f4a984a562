-- KEYS: index. ARGV: change after which, how many, beginning of the keys of records
local found, count = mark(KEYS[1])
if not found then
  return {'', text(clock()), '0', '0', 1, {}}
end
local entries = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf',
  'WITHSCORES', 'LIMIT', 0, ARGV[2])
local rows = {}
local last = ARGV[1]
local at_end = #entries < 2 * tonumber(ARGV[2])
for at = 1, #entries, 2 do
  local service = entries[at]
  if service == found then
    at_end = true
  else
    last = entries[at + 1]
    local key = ARGV[3] .. service
    local fields = redis.pcall('HGETALL', key)
    if fields.err then
      rows[#rows + 1] = {service, redis.call('TYPE', key).ok}
    elseif #fields == 0 then
      -- It ran out, or was evicted.
      redis.pcall('ZREM', KEYS[1], service)
    else
      rows[#rows + 1] = {service, fields}
    end
  end
end
if at_end then
  last = text(count - 1)
end
return {found, text(clock()), text(count - 1), last, at_end and 1 or 0, rows}
