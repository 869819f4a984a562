-- KEYS: record, index, tombstones. ARGV: mark of a new index, service, lane, expected version or
-- nothing, next version, age, lane as JSON, milliseconds to keep it, channel, then names and values
-- of further fields
local found = redis.pcall('HGETALL', KEYS[1])
if found.err then
  return {'type', redis.call('TYPE', KEYS[1]).ok}
end
local now = clock()
local stored = hash(found)
local service, lane, expected = ARGV[2], ARGV[3], ARGV[4]
local version = stored and stored[lane .. '.version'] or ''
local known = not stored
  or (stored.format == FORMAT and (stored.kind == 'record' or stored.kind == 'tombstone'))
if version ~= expected or (expected == '') == (stored ~= nil) or not known then
  if stored and not redis.call('ZSCORE', KEYS[2], service) then
    -- The index was evicted since.
    changed(KEYS[2], ARGV[1], service)
  end
  return {'found', text(now), found}
end

-- What may be refused comes before what must then be done: a key of another type, and then the first
-- write that takes memory.
redis.call('ZSCORE', KEYS[3], service)
changed(KEYS[2], ARGV[1], service)
redis.call('ZREM', KEYS[3], service)
if not stored or stored.kind == 'tombstone' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'format', FORMAT, 'kind', 'record', 'service', service,
    'state.changed_at', text(now),
    'state.version', stored and stored['state.version'] or '0.0',
    'override.version', stored and stored['override.version'] or '0.0',
    'settings.version', stored and stored['settings.version'] or '0.0')
end
redis.call('HSET', KEYS[1], lane, ARGV[7], lane .. '.version', ARGV[5])
if lane == 'state' then
  redis.call('HSET', KEYS[1], 'state.changed_at', text(math.max(now - tonumber(ARGV[6]), 0)))
end
for at = 10, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end

-- What a person set is kept until it is lifted.
local function json(field)
  local value = redis.call('HGET', KEYS[1], field)
  if not value then
    return {}
  end
  local read, decoded = pcall(cjson.decode, value)
  return read and type(decoded) == 'table' and decoded or {value = true}
end
local set = json('override').value
local settings = json('settings')
local changes = type(settings.changes) == 'table' and settings.changes or {}
if (set ~= nil and set ~= cjson.null) or settings.value or next(changes) then
  redis.call('PERSIST', KEYS[1])
else
  local open_for = tonumber(json('state').open_for) or 0
  keep(KEYS[1], tonumber(ARGV[8]) + open_for / 1000)
end
return {'done', text(now), tell(ARGV[9], service)}
