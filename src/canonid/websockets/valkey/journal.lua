#!lua name=canonid

-- The steps of the journal. Each is atomic. KEYS[1] is a prefix of keys, whose hash tag puts them into one slot:
--   of a run
--     run     hash: thread, principal, process, seq and bytes of what is kept; final once it has ended
--     log     stream: its events, whose entries go by the events' numbers
--   of a thread
--     runs    sorted set: its runs that go on and its last ones, in the order of their beginning
--   of a principal
--     ended   sorted set: "BYTES RUN" of its ended runs that are kept, in the order of their ends

local GOING, SURPLUS = 1000, 100 -- runs of a thread that go on, and those that are looked at when one begins

local function milliseconds()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

local function begin(keys, argv)
  local P, thread, principal, process, seq, idle = keys[1], unpack(argv, 1, 5)
  redis.call('DEL', P .. 'run', P .. 'log')
  redis.call('HSET', P .. 'run', 'thread', thread, 'principal', principal, 'process', process, 'seq', seq, 'bytes', 0)
  redis.call('PEXPIRE', P .. 'run', idle)
  return {'ok'}
end

-- Makes a run one of its thread's; which ones, the oldest, are too many and may be left out if they have ended.
local function list(keys, argv)
  local runs, run, most, lasts = keys[1] .. 'runs', unpack(argv, 1, 4)
  redis.call('ZADD', runs, 'NX', milliseconds(), run)
  redis.call('ZREMRANGEBYRANK', runs, 0, -most - GOING - 1)
  redis.call('PEXPIRE', runs, lasts)
  local surplus = math.min(redis.call('ZCARD', runs) - most, SURPLUS)
  return surplus > 0 and redis.call('ZRANGE', runs, 0, surplus - 1) or {}
end

local function last_text(log)
  local entry = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  return entry and entry[2][2]
end

-- Adds events: all of them or none, and only where the last one kept is the one before them.
-- Answers {'ok', listeners, bytes}; {'ended', seq}; {'at', seq} where another number was expected; {'unknown', -1}.
local function append(keys, argv)
  local run, log = keys[1] .. 'run', keys[1] .. 'log'
  local channel, first, final = argv[1], tonumber(argv[2]), argv[3]
  local most, most_bytes, retention, known = tonumber(argv[4]), tonumber(argv[5]), tonumber(argv[6]), tonumber(argv[7])
  local seq, ended, bytes = unpack(redis.call('HMGET', run, 'seq', 'final', 'bytes'))
  if not seq then return {'unknown', -1} end
  seq, bytes = tonumber(seq), tonumber(bytes)
  if ended then
    local again = final ~= '' and seq == first + #argv - 8 and last_text(log) == argv[#argv]
    return again and {'ok', 0, bytes} or {'ended', seq}
  end
  if seq + 1 ~= first then return {'at', seq} end
  local listeners = 0
  for place = 8, #argv do
    local text = argv[place]
    seq = seq + 1
    redis.call('XADD', log, seq .. '-0', 't', text)
    bytes = bytes + #text
    local last = place == #argv and final or ''
    listeners = redis.call('SPUBLISH', channel, '\n' .. seq .. ' ' .. last .. ' ' .. text)
  end
  local kept = redis.call('XLEN', log)
  while kept > 1 and (kept > most or bytes > most_bytes) do
    local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    redis.call('XDEL', log, oldest[1])
    bytes, kept = bytes - #oldest[2][2], kept - 1
  end
  redis.call('HSET', run, 'seq', seq, 'bytes', bytes)
  redis.call('PEXPIRE', run, retention + known)
  if final ~= '' then
    redis.call('HSET', run, 'final', 1)
    redis.call('PEXPIRE', log, retention)
  else
    redis.call('PEXPIRE', log, retention + known)
  end
  return {'ok', listeners, bytes}
end

-- Keeps a run that has ended as one of its principal's; which ones, that ended first, are to be forgotten.
local function retire(keys, argv)
  local ended, run, bytes = keys[1] .. 'ended', argv[1], argv[2]
  local most, most_bytes, retention = tonumber(argv[3]), tonumber(argv[4]), tonumber(argv[5])
  local now = milliseconds()
  redis.call('ZADD', ended, 'NX', now, bytes .. ' ' .. run)
  redis.call('ZREMRANGEBYSCORE', ended, '-inf', '(' .. string.format('%.0f', now - retention))
  redis.call('PEXPIRE', ended, retention)
  local all, total, forgotten = redis.call('ZRANGE', ended, 0, -1), 0, {}
  for _, each in ipairs(all) do total = total + tonumber(string.match(each, '^%d+')) end
  for place, each in ipairs(all) do
    if #all - place + 1 <= most and total <= most_bytes then break end
    local size, name = string.match(each, '^(%d+) (.*)$')
    total = total - tonumber(size)
    redis.call('ZREM', ended, each)
    forgotten[#forgotten + 1] = name
  end
  return forgotten
end

-- What is known of a run, and its events from a number on.
local function read(keys, argv)
  return {redis.call('HGETALL', keys[1] .. 'run'), redis.call('XRANGE', keys[1] .. 'log', argv[1] .. '-0', '+')}
end

-- What is known of a run, and whether events of it are kept.
local function known(keys, argv)
  return {redis.call('HGETALL', keys[1] .. 'run'), redis.call('EXISTS', keys[1] .. 'log')}
end

-- How many processes listen to the channel of that name.
local function listeners(keys, argv)
  return redis.call('PUBSUB', 'SHARDNUMSUB', keys[1])[2]
end

redis.register_function('canonid_begin', begin)
redis.register_function('canonid_list', list)
redis.register_function('canonid_append', append)
redis.register_function('canonid_retire', retire)
redis.register_function({function_name = 'canonid_read', callback = read, flags = {'no-writes'}})
redis.register_function({function_name = 'canonid_known', callback = known, flags = {'no-writes'}})
redis.register_function({function_name = 'canonid_listeners', callback = listeners, flags = {'no-writes'}})
