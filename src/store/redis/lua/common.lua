-- Precedes every other script. Numbers that are compared or kept whole are texts: Lua has only
-- doubles, and versions and durations have 63 bits. Times are in microseconds, which fit until 2255.
local FORMAT = '1'
local MARK = 'tower-breaker\t'

local function text(number)
  return string.format('%.0f', number)
end

-- The server's clock.
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The entry of the index above all others, which says whose it is, and counts the changes; nothing
-- where there is no index.
local function mark(index)
  local found = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
  if #found == 0 then
    return nil, 1
  end
  if string.sub(found[1], 1, #MARK) ~= MARK then
    error('tower-breaker-foreign `' .. string.sub(found[1], 1, 60) .. '`', 0)
  end
  local format = string.match(found[1], '\tformat=(%d+)')
  if format ~= FORMAT then
    error('tower-breaker-format ' .. tostring(format), 0)
  end
  return found[1], tonumber(found[2])
end

-- A hash as a table; nothing where there is none.
local function hash(flat)
  if #flat == 0 then
    return nil
  end
  local fields = {}
  for at = 1, #flat, 2 do
    fields[flat[at]] = flat[at + 1]
  end
  return fields
end

-- Puts a circuit at the end of the order of changes.
local function changed(index, new_mark, service)
  local found, count = mark(index)
  if not found then
    found = new_mark
    redis.call('ZADD', index, count, found)
  end
  local above = redis.call('ZINCRBY', index, 1, found)
  redis.call('ZADD', index, text(tonumber(above) - 1), service)
end

-- Keeps a key so many milliseconds; for ever if that is longer than a century.
local function keep(key, millis)
  if millis > 3155760000000 then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, text(millis))
  end
end

-- Tells the watchers. Returns 0 where the user may not: the change stands all the same.
local function tell(channel, service)
  local told = redis.pcall('PUBLISH', channel, service)
  if type(told) == 'table' and told.err then
    return 0
  end
  return 1
end
