-- KEYS: instance, instances. ARGV: run, row, milliseconds to keep it
redis.call('ZADD', KEYS[2], text(clock()), ARGV[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
