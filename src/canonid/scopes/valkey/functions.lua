#!lua name=canonid

-- The steps of a tree of many processes. Each is atomic, and checks everything before it writes anything.
--
-- KEYS[1] is the prefix of a bucket's keys; its hash tag puts them all into one slot.
--   store              nonce of the data: an emptied store is another one
--   seq, epochs        counters
--   nodes              hash: kind/canonical -> packed node
--   roots:PRINCIPAL    sorted set: the principal's roots in order of arrival
--   below:FIELD        sorted set: what is directly in a scope, in order of arrival
--   holders:FIELD      set: the processes that hold a joined scope
--   closing            hash: scopes whose closing has begun and not ended -> packed mark
--   released           stream: what was released lately, by whom, when and why
--   processes          set: who has a membership
--   process:NAME       hash: epoch ('' while it is being reaped), beat, lease in milliseconds, count and
--                      digest of what it owns
--   tops:NAME          set: what the process owns whose parent is not its own
--   inbox:NAME         stream: what others released of it

local CHUNK, DIGEST = 500, 2 ^ 48
local STREAM, BYTES, LARGE = 10000, 2 ^ 26, 4096 -- records of releases, what they may take, and a large one
local INBOX = 1000 -- what an owner does not read in time, it finds when it compares its count
local WATCHED = 100 -- others that one beat looks at; many processes look at each
local SCOPE, JOINED = 1, 2
local run_id

local function incarnation(P)
  local store = redis.call('GET', P .. 'store')
  if not store then return nil end
  run_id = run_id or string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
  return store .. '-' .. string.sub(run_id, 1, 12) .. '-' .. string.sub(replication, 1, 12)
end

-- Why a process with this epoch may not write: its epoch is of another store, or it was reaped.
local function refused(P, process, epoch)
  local now = incarnation(P)
  if not now or string.sub(epoch, 1, #now + 1) ~= now .. '.' then return 'stale' end
  if redis.call('HGET', P .. 'process:' .. process, 'epoch') ~= epoch then return 'fenced' end
  return nil
end

local function unpacked(packed, shape)
  local fine, values = pcall(cmsgpack.unpack, packed)
  if not fine or type(values) ~= 'table' then return nil end
  for place, kind in ipairs(shape) do
    if type(values[place]) ~= kind then return nil end
  end
  return values
end

local NODE = {'string', 'string', 'string', 'string', 'number', 'number', 'string'}

local function read(P, field)
  local packed = redis.call('HGET', P .. 'nodes', field)
  if not packed then return nil end
  local v = unpacked(packed, NODE)
  if not v then return nil, 'malformed' end
  return {principal = v[1], parent = v[2], owner = v[3], nonce = v[4], opened_at = v[5], flags = v[6], text = v[7]}
end

local function must_read(P, field)
  local node, fault = read(P, field)
  if fault then error('canonid: malformed node') end
  return node
end

local function siblings(P, principal, parent)
  return parent == '' and P .. 'roots:' .. principal or P .. 'below:' .. parent
end

local function account(P, process, count, digest)
  local key = P .. 'process:' .. process
  local before = redis.call('HGET', key, 'digest')
  if not before then return end
  redis.call('HINCRBY', key, 'count', count)
  redis.call('HSET', key, 'digest', string.format('%.0f', (tonumber(before) + digest) % DIGEST))
end

local function is_closing(P, field)
  if redis.call('HLEN', P .. 'closing') == 0 then return false end
  while field ~= '' do
    if redis.call('HEXISTS', P .. 'closing', field) == 1 then return true end
    local node = must_read(P, field)
    if not node then return false end
    field = node.parent
  end
  return false
end

local function mark(P, field, by, why, at)
  if redis.call('HEXISTS', P .. 'closing', field) == 0 then
    redis.call('HSET', P .. 'closing', field, cmsgpack.pack({by, why, at}))
  end
end

local function join(keys, argv)
  local P, process, nonce, lease = keys[1], argv[1], argv[2], argv[3]
  local key = P .. 'process:' .. process
  local before = redis.call('HGET', key, 'epoch')
  if before == '' then return {'fenced'} end
  redis.call('SET', P .. 'store', nonce, 'NX')
  local epoch = incarnation(P) .. '.' .. redis.call('INCR', P .. 'epochs')
  redis.call('HSET', key, 'epoch', epoch, 'beat', 0, 'lease', lease)
  redis.call('HSETNX', key, 'count', 0)
  redis.call('HSETNX', key, 'digest', 0)
  redis.call('SADD', P .. 'processes', process)
  return {'ok', epoch, before and 1 or 0}
end

local function claim(keys, argv)
  local P, process, epoch, field, principal, parent, parent_nonce, nonce = keys[1], unpack(argv, 1, 7)
  local opened_at, flags, text, at_most = tonumber(argv[8]), tonumber(argv[9]), argv[10], tonumber(argv[11])
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  local joined = flags >= JOINED
  local above
  if parent ~= '' then
    above = must_read(P, parent)
    if not above or above.nonce ~= parent_nonce or above.principal ~= principal or above.flags % 2 ~= SCOPE then
      return {'closed'}
    end
    if is_closing(P, parent) then return {'closed'} end
  end
  local node = must_read(P, field)
  if node then
    local same = node.principal == principal and node.parent == parent
    if not joined and same and node.nonce == nonce and node.owner == process then
      return {'ok', nonce, node.opened_at, node.text}
    end
    if not joined or not same or node.flags ~= flags or is_closing(P, field) then return {'conflict'} end
    if redis.call('SADD', P .. 'holders:' .. field, process) == 1 then
      redis.call('SADD', P .. 'tops:' .. process, field)
      account(P, process, 1, tonumber(node.nonce, 16))
    end
    return {'ok', node.nonce, node.opened_at, node.text}
  end
  if at_most >= 0 then
    local live, prefix = 0, string.match(field, '^[^/]*/')
    for _, root in ipairs(redis.call('ZRANGE', P .. 'roots:' .. principal, 0, -1)) do
      if string.sub(root, 1, #prefix) == prefix then live = live + 1 end
    end
    if live >= at_most then return {'full'} end
  end
  local owner = joined and '' or process
  local packed = cmsgpack.pack({principal, parent, owner, nonce, opened_at, flags, text})
  redis.call('HSET', P .. 'nodes', field, packed)
  redis.call('ZADD', siblings(P, principal, parent), redis.call('INCR', P .. 'seq'), field)
  if not above or above.owner ~= process then redis.call('SADD', P .. 'tops:' .. process, field) end
  if joined then redis.call('SADD', P .. 'holders:' .. field, process) end
  account(P, process, 1, tonumber(nonce, 16))
  return {'ok', nonce, opened_at, text}
end

local function find(keys, argv)
  local P, principal, field = keys[1], argv[1], argv[2]
  local node = must_read(P, field)
  if not node or node.principal ~= principal then return {'unknown'} end
  return {'ok', node.nonce, node.opened_at, node.flags, node.text, node.owner}
end

-- The node of that name strictly below a scope.
local function below(keys, argv)
  local P, scope, nonce, field = keys[1], argv[1], argv[2], argv[3]
  local node, top = must_read(P, field), must_read(P, scope)
  if not node or not top or top.nonce ~= nonce then return {'unknown'} end
  local above, step = node.parent, nil
  while above ~= '' and above ~= scope do
    step = must_read(P, above)
    if not step then return {'unknown'} end
    above = step.parent
  end
  if above ~= scope then return {'unknown'} end
  return {'ok', node.nonce, node.opened_at, node.flags, node.text, node.owner}
end

local function live(keys, argv)
  local P, principal = keys[1], argv[1]
  local answer, stack = {}, {}
  local function push(key, depth, closed)
    local names = redis.call('ZREVRANGE', key, 0, -1)
    for _, field in ipairs(names) do stack[#stack + 1] = {field, depth, closed} end
  end
  push(P .. 'roots:' .. principal, 0, false)
  while #stack > 0 do
    local field, depth, closed = unpack(table.remove(stack))
    local node = must_read(P, field)
    if node then
      closed = closed or redis.call('HEXISTS', P .. 'closing', field) == 1
      answer[#answer + 1] = {depth, field, node.opened_at, node.flags, node.text, closed and 1 or 0, node.owner}
      if node.flags % 2 == SCOPE then push(P .. 'below:' .. field, depth + 1, closed) end
    end
  end
  return answer
end

-- Takes up to so many of what is at and below a scope out of the tree, newest first, and tells its owners.
-- A malformed node goes too, as nobody's. How many, whether that was all, which, and why; nothing if it is gone.
local function take_out(P, process, epoch, field, nonce, why, at, limit)
  local begun = redis.call('HGET', P .. 'closing', field)
  local top, fault = read(P, field)
  if not fault and (not top or (nonce ~= '' and top.nonce ~= nonce)) then
    if not top and begun then redis.call('HDEL', P .. 'closing', field) end
    return nil
  end
  begun = begun and unpacked(begun, {'string', 'string', 'string'}) or {process, why, at}
  local removed, owners, told, any_closing = {}, {}, 0, redis.call('HLEN', P .. 'closing') > 0
  local function tell(owner, entry, node_nonce)
    local share = owners[owner]
    if not share then
      share = {count = 0, digest = 0, entries = {}}
      owners[owner] = share
    end
    share.count = share.count + 1
    share.digest = (share.digest + tonumber(node_nonce, 16)) % DIGEST
    share.entries[#share.entries + 1] = entry
  end
  local stack = {{field = field, node = top, key = top and siblings(P, top.principal, top.parent)}}
  while #stack > 0 and told < limit do
    local frame = stack[#stack]
    local child
    if not frame.node or frame.node.flags % 2 == SCOPE then
      if not frame.children or frame.next > #frame.children then
        frame.children = redis.call('ZREVRANGE', P .. 'below:' .. frame.field, 0, CHUNK - 1)
        frame.next = 1
      end
      child = frame.children[frame.next]
    end
    if child then
      frame.next = frame.next + 1
      stack[#stack + 1] = {field = child, node = read(P, child), key = P .. 'below:' .. frame.field}
    else
      local node = frame.node or {owner = '', nonce = '0', flags = SCOPE}
      local entry = {frame.field, node.owner, node.nonce}
      redis.call('HDEL', P .. 'nodes', frame.field)
      if frame.key then redis.call('ZREM', frame.key, frame.field) end
      if any_closing then redis.call('HDEL', P .. 'closing', frame.field) end
      if node.flags >= JOINED then
        for _, holder in ipairs(redis.call('SMEMBERS', P .. 'holders:' .. frame.field)) do
          redis.call('SREM', P .. 'tops:' .. holder, frame.field)
          tell(holder, entry, node.nonce)
        end
        redis.call('DEL', P .. 'holders:' .. frame.field)
      elseif node.owner ~= '' then
        redis.call('SREM', P .. 'tops:' .. node.owner, frame.field)
        tell(node.owner, entry, node.nonce)
      end
      removed[#removed + 1] = entry
      told = told + 1
      stack[#stack] = nil
    end
  end
  for owner, share in pairs(owners) do
    account(P, owner, -share.count, -share.digest)
    if owner ~= process and (redis.call('HGET', P .. 'process:' .. owner, 'epoch') or '') ~= '' then
      redis.call('XADD', P .. 'inbox:' .. owner, 'MAXLEN', '~', INBOX, '*', 'why', begun[2], 'ids', cjson.encode(share.entries))
    end
  end
  if #stack > 0 then redis.call('HSET', P .. 'closing', field, cmsgpack.pack(begun)) end
  local ids = cjson.encode(removed)
  redis.call('XADD', P .. 'released', 'MAXLEN', '~', STREAM, '*', 'scope', field,
    'scope_nonce', top and top.nonce or '', 'principal', top and top.principal or '', 'by', process, 'epoch', epoch, 'why', begun[2], 'at', begun[3], 'ids', ids)
  if #ids > LARGE then
    local used = redis.pcall('MEMORY', 'USAGE', P .. 'released')
    if type(used) == 'number' and used > BYTES then
      redis.call('XTRIM', P .. 'released', 'MAXLEN', math.floor(redis.call('XLEN', P .. 'released') / 2))
    end
  end
  return told, #stack == 0 and 1 or 0, ids, begun[2]
end

local function close(keys, argv)
  local P, process, epoch, field, nonce, why, at = keys[1], unpack(argv, 1, 6)
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  local told, all, ids, because = take_out(P, process, epoch, field, nonce, why, at, CHUNK)
  return told and {'ok', all, ids, because} or {'gone'}
end

-- Goes on with closings that have begun, for a chunk in all: field, whether that was all, which, and why.
-- One that has ended meanwhile is done: what bears that name now is another one, and nobody closes it.
local function sweep(keys, argv)
  local P, process, epoch, left, swept = keys[1], argv[1], argv[2], CHUNK, {}
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  for place = 3, #argv do
    if left <= 0 then break end
    local told, all, ids, because
    if redis.call('HEXISTS', P .. 'closing', argv[place]) == 1 then
      told, all, ids, because = take_out(P, process, epoch, argv[place], '', '', '0', left)
    end
    left = left - (told or 0)
    swept[#swept + 1] = {argv[place], all or 1, ids or '[]', because or ''}
  end
  return {'ok', swept}
end

-- Begins a closing that goes on later, so that nothing enters any more.
local function begin(keys, argv)
  local P, process, epoch, field, nonce, why, at = keys[1], unpack(argv, 1, 6)
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  local node = must_read(P, field)
  if not node or node.nonce ~= nonce then return {'gone'} end
  mark(P, field, process, why, at)
  return {'ok'}
end

-- Gives up a process's part of a joined scope; the last one begins its closing, and goes on with that nonce.
local function leave(keys, argv)
  local P, process, epoch, field, nonce, why, at = keys[1], unpack(argv, 1, 6)
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  local node = must_read(P, field)
  if not node or (nonce ~= '' and node.nonce ~= nonce) then return {'gone'} end
  nonce = node.nonce
  local holders = P .. 'holders:' .. field
  if redis.call('SISMEMBER', holders, process) == 0 then return {'gone'} end
  if redis.call('SCARD', holders) == 1 then
    mark(P, field, process, why, at)
    return {'last', nonce}
  end
  redis.call('SREM', holders, process)
  redis.call('SREM', P .. 'tops:' .. process, field)
  account(P, process, -1, -tonumber(nonce, 16))
  return {'ok'}
end

local function heartbeat(keys, argv)
  local P, process, epoch = keys[1], argv[1], argv[2]
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  local key = P .. 'process:' .. process
  redis.call('HINCRBY', key, 'beat', 1)
  local others, unfinished = {}, {}
  for _, name in ipairs(redis.call('SRANDMEMBER', P .. 'processes', WATCHED)) do
    local other = redis.call('HMGET', P .. 'process:' .. name, 'epoch', 'beat', 'lease')
    if not other[1] then
      redis.call('SREM', P .. 'processes', name)
    elseif name ~= process then
      others[#others + 1] = {name, other[1], other[2] or '', tonumber(other[3]) or 0}
    end
  end
  if redis.call('HLEN', P .. 'closing') > 0 then
    local some = redis.call('HSCAN', P .. 'closing', 0, 'COUNT', 200)[2]
    for place = 1, #some, 2 do
      local by = (unpacked(some[place + 1], {'string'}) or {''})[1]
      local alive = redis.call('HGET', P .. 'process:' .. by, 'epoch')
      if by == process or not alive or alive == '' then unfinished[#unfinished + 1] = some[place] end
    end
  end
  local mine = redis.call('HMGET', key, 'count', 'digest')
  return {'ok', tonumber(mine[1]), mine[2], unfinished, others}
end

-- Ends a membership whose epoch and beat are still these: begins closing what it owned, a chunk at a time.
local function reap(keys, argv)
  local P, process, epoch, dead, dead_epoch, beat, why, at = keys[1], unpack(argv, 1, 7)
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  local key, tops = P .. 'process:' .. dead, P .. 'tops:' .. dead
  local now = redis.call('HMGET', key, 'epoch', 'beat')
  if not now[1] then return {'gone'} end
  if now[1] ~= '' then
    if now[1] ~= dead_epoch or (beat ~= '' and now[2] ~= beat) then return {'alive'} end
  end
  local marked = {}
  for _, field in ipairs(redis.call('SRANDMEMBER', tops, CHUNK)) do
    local node = read(P, field)
    redis.call('SREM', tops, field)
    local left = 0
    if node and node.flags >= JOINED then
      redis.call('SREM', P .. 'holders:' .. field, dead)
      left = redis.call('SCARD', P .. 'holders:' .. field)
      account(P, dead, -1, -tonumber(node.nonce, 16))
    end
    if node and left == 0 then
      mark(P, field, process, why, at)
      marked[#marked + 1] = field
    end
  end
  if redis.call('SCARD', tops) > 0 then
    redis.call('HSET', key, 'epoch', '')
    return {'more', marked}
  end
  redis.call('DEL', key, P .. 'inbox:' .. dead)
  redis.call('SREM', P .. 'processes', dead)
  return {'reaped', marked}
end

-- Of the given (field, nonce) pairs, the fields that the process does not own under that nonce.
local function lacking(keys, argv)
  local P, process, epoch = keys[1], argv[1], argv[2]
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  local missing = {}
  for place = 3, #argv, 2 do
    local field, nonce = argv[place], argv[place + 1]
    local node = read(P, field)
    local mine = node and node.nonce == nonce and (node.owner == process
      or (node.flags >= JOINED and redis.call('SISMEMBER', P .. 'holders:' .. field, process) == 1))
    if not mine then missing[#missing + 1] = field end
  end
  return {'ok', missing}
end

-- What the process owns was looked at on both sides and is the same, so its count is too.
local function settle(keys, argv)
  local P, process, epoch = keys[1], argv[1], argv[2]
  local answer = refused(P, process, epoch)
  if answer then return {answer} end
  redis.call('HSET', P .. 'process:' .. process, 'count', argv[3], 'digest', argv[4])
  return {'ok'}
end

-- Ends those consumers of a group that were silent for so many milliseconds and owe nothing.
local function dismiss(keys, argv)
  local released, group, silent = keys[1] .. 'released', argv[1], tonumber(argv[2])
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', released, group)) do
    local its = {}
    for place = 1, #consumer, 2 do its[consumer[place]] = consumer[place + 1] end
    if its.pending == 0 and its.idle > silent then
      redis.call('XGROUP', 'DELCONSUMER', released, group, its.name)
    end
  end
  return {'ok'}
end

-- Writes the one key for so many milliseconds, or deletes it, if it still says what was read.
local function swap(keys, argv)
  if (redis.call('GET', keys[1]) or '') ~= argv[1] then return 0 end
  if argv[2] == '' then redis.call('DEL', keys[1]) else redis.call('SET', keys[1], argv[2], 'PX', argv[3]) end
  return 1
end

local function tops(keys, argv)
  return redis.call('SMEMBERS', keys[1] .. 'tops:' .. argv[1])
end

-- What the process owns at and below some of its tops: field, nonce, flags, field …
local function owned(keys, argv)
  local P, process, answer, stack = keys[1], argv[1], {}, {}
  for place = 2, #argv do stack[#stack + 1] = argv[place] end
  while #stack > 0 do
    local field = table.remove(stack)
    local node = read(P, field)
    if node and (node.owner == process or node.flags >= JOINED) then
      answer[#answer + 1] = field
      answer[#answer + 1] = node.nonce
      answer[#answer + 1] = node.flags
      if node.flags == SCOPE then
        for _, child in ipairs(redis.call('ZRANGE', P .. 'below:' .. field, 0, -1)) do
          local inner = read(P, child)
          if inner and inner.owner == process then stack[#stack + 1] = child end
        end
      end
    end
  end
  return answer
end

redis.register_function('canonid_claim', claim)
redis.register_function('canonid_swap', swap)
redis.register_function('canonid_dismiss', dismiss)
-- Where memory has run out, releasing must still be possible, and being alive.
redis.register_function({function_name = 'canonid_join', callback = join, flags = {'allow-oom'}})
redis.register_function({function_name = 'canonid_close', callback = close, flags = {'allow-oom'}})
redis.register_function({function_name = 'canonid_sweep', callback = sweep, flags = {'allow-oom'}})
redis.register_function({function_name = 'canonid_begin', callback = begin, flags = {'allow-oom'}})
redis.register_function({function_name = 'canonid_leave', callback = leave, flags = {'allow-oom'}})
redis.register_function({function_name = 'canonid_heartbeat', callback = heartbeat, flags = {'allow-oom'}})
redis.register_function({function_name = 'canonid_reap', callback = reap, flags = {'allow-oom'}})
redis.register_function({function_name = 'canonid_settle', callback = settle, flags = {'allow-oom'}})
redis.register_function({function_name = 'canonid_find', callback = find, flags = {'no-writes'}})
redis.register_function({function_name = 'canonid_below', callback = below, flags = {'no-writes'}})
redis.register_function({function_name = 'canonid_live', callback = live, flags = {'no-writes'}})
redis.register_function({function_name = 'canonid_lacking', callback = lacking, flags = {'no-writes'}})
redis.register_function({function_name = 'canonid_tops', callback = tops, flags = {'no-writes'}})
redis.register_function({function_name = 'canonid_owned', callback = owned, flags = {'no-writes'}})
