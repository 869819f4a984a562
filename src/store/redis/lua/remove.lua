-- KEYS: record, index, tombstones. ARGV: mark of a new index, service, lane, expected version,
-- milliseconds to keep the tombstone, channel
local found = redis.pcall('HGETALL', KEYS[1])
if found.err then
  return {'type', redis.call('TYPE', KEYS[1]).ok}
end
local now = clock()
local stored = hash(found)
local service = ARGV[2]
if not stored or stored.format ~= FORMAT or stored.kind ~= 'record'
  or stored[ARGV[3] .. '.version'] ~= ARGV[4] then
  return {'found', text(now), found}
end
redis.call('ZADD', KEYS[3], text(now), service)
changed(KEYS[2], ARGV[1], service)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'format', FORMAT, 'kind', 'tombstone', 'service', service,
  'removed_at', text(now),
  'state.version', stored['state.version'] or '0.0',
  'override.version', stored['override.version'] or '0.0',
  'settings.version', stored['settings.version'] or '0.0')
keep(KEYS[1], tonumber(ARGV[5]))
return {'done', text(now), tell(ARGV[6], service)}
