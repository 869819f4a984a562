-- KEYS: lease. ARGV: token, owner, term, milliseconds to keep it after that
local now = clock()
local held = redis.call('HMGET', KEYS[1], 'since', 'term')
if held[1] or redis.call('EXISTS', KEYS[1]) == 1 then
  local since, term = tonumber(held[1] or ''), tonumber(held[2] or '')
  if not since or not term then
    return 'unreadable'
  end
  if math.max(now - since, 0) < term then
    return 'held'
  end
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'owner', ARGV[2], 'term', ARGV[3], 'since', text(now))
keep(KEYS[1], tonumber(ARGV[3]) / 1000 + tonumber(ARGV[4]))
return 'done'
