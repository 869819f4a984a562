-- KEYS: instances. ARGV: age, beginning of the keys of instances
local now = clock()
local runs = redis.call('ZRANGEBYSCORE', KEYS[1], text(now - tonumber(ARGV[1])), '+inf', 'WITHSCORES')
local rows = {}
for at = 1, #runs, 2 do
  local row = redis.pcall('GET', ARGV[2] .. runs[at])
  if type(row) == 'table' and row.err then
    row = ''
  end
  if row then
    rows[#rows + 1] = {runs[at], text(math.max(now - tonumber(runs[at + 1]), 0)), row}
  else
    -- It was evicted.
    redis.pcall('ZREM', KEYS[1], runs[at])
  end
end
return rows
