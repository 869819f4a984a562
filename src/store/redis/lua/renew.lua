-- KEYS: lease. ARGV: token, term, milliseconds to keep it after that
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'term', ARGV[2], 'since', text(clock()))
keep(KEYS[1], tonumber(ARGV[2]) / 1000 + tonumber(ARGV[3]))
return 1
