-- Adds events to a run: all of them or none, and only where the last one kept is the one before them.
-- KEYS: what is known of the run (hash), its events (stream).
-- ARGV: channel, the first number, final (1 or empty), most events, most bytes, ms kept after the end,
--       ms known after that, then the texts.
-- Answers {"ok", listeners}; {"ended", seq}; {"at", seq} where another number was expected; {"unknown", -1}.
local seq, final, bytes = unpack(redis.call('HMGET', KEYS[1], 'seq', 'final', 'bytes'))
if not seq then
  return {'unknown', -1}
end
seq, bytes = tonumber(seq), tonumber(bytes)
if final then
  return {'ended', seq}
end
if seq + 1 ~= tonumber(ARGV[2]) then
  return {'at', seq}
end
local listeners = 0
for i = 8, #ARGV do
  local text = ARGV[i]
  seq = seq + 1
  redis.call('XADD', KEYS[2], seq .. '-0', 't', text)
  bytes = bytes + #text
  local last = i == #ARGV and ARGV[3] or ''
  listeners = redis.call('SPUBLISH', ARGV[1], '\n' .. seq .. ' ' .. last .. ' ' .. text)
end
local kept = redis.call('XLEN', KEYS[2])
while kept > 1 and (kept > tonumber(ARGV[4]) or bytes > tonumber(ARGV[5])) do
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  redis.call('XDEL', KEYS[2], oldest[1])
  bytes, kept = bytes - #oldest[2][2], kept - 1
end
redis.call('HSET', KEYS[1], 'seq', seq, 'bytes', bytes)
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'final', 1)
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
  redis.call('PEXPIRE', KEYS[1], ARGV[6] + ARGV[7])
end
return {'ok', listeners}
