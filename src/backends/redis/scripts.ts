import { createHash } from 'node:crypto'

/** A script of Redis. All of its input comes through KEYS and ARGV; it is never put together from text. */
export interface Script {
  readonly name: string
  readonly text: string
  readonly sha: string
}

const script = (name: string, text: string): Script => ({
  name,
  text,
  sha: createHash('sha1').update(text).digest('hex'),
})

/** Redis does not undo what a failed script has written: keys of another type are found before the first write. */
const CHECK_TYPE = `
local function fits(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end
`

/** An index lives as long as its longest entry; for ever, where one of them does. */
const ADD = `
local function add(key, untilMs, first, last)
  local existed = redis.call('EXISTS', key) == 1
  for i = first, last, 1000 do
    local args = {}
    for j = i, math.min(i + 999, last) do
      args[#args + 1] = '0'
      args[#args + 1] = ARGV[j]
    end
    redis.call('ZADD', key, unpack(args))
  end
  if untilMs == '-' then return end
  if untilMs == '' then
    if existed then redis.call('PERSIST', key) end
  elseif existed then
    redis.call('PEXPIREAT', key, untilMs, 'GT')
  else
    redis.call('PEXPIREAT', key, untilMs)
  end
end
`

/** Tells a listener and keeps the event. The message is the event's id and what is kept of it. */
const TELL = `
local function tell(stream, keep, kind, key, count, now)
  local id = redis.call('XADD', stream, 'MAXLEN', '~', keep, '*', 't', kind, 'k', key, 'n', count, 'a', now)
  redis.call('PUBLISH', stream, id .. ' ' .. cjson.encode({kind, key, count, now}))
end
`

/**
 * Writes everything of a unit or a verb, or nothing.
 *
 * KEYS: the commit's own, then all others. ARGV: the token, milliseconds to remember it for, the number of checks, then
 * checks (name, key, expected) and writes (name, key, number of arguments, arguments).
 */
export const COMMIT = script(
  'commit',
  `${CHECK_TYPE}${ADD}${TELL}
if redis.call('EXISTS', KEYS[1]) == 1 then return 'DONE' end
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  local what, key, expected = ARGV[at], KEYS[tonumber(ARGV[at + 1])], ARGV[at + 2]
  if what == 'type' then
    if not fits(key, expected) then return 'WRONGTYPE' end
  elseif what == 'revision' then
    if (redis.call('HGET', key, 'r') or '') ~= expected then return 'CHANGED' end
  elseif what == 'children' then
    if (redis.call('HGET', key, 'g') or '0') ~= expected then return 'CHANGED' end
  elseif what == 'exists' then
    if redis.call('EXISTS', key) == 0 then return 'CHANGED' end
  elseif what == 'free' then
    if redis.call('EXISTS', key) == 1 then return 'LOCKED' end
  elseif what == 'journal' then
    local state = redis.call('HMGET', key, 'epoch', 'phase')
    if (state[1] or '0') .. ' ' .. (state[2] or 'idle') ~= expected then return 'ENDED' end
  elseif what == 'mine' then
    if redis.call('GET', key) ~= expected then return 'LOST' end
  end
  at = at + 3
end
-- First of all a write that a full memory refuses: deletions alone would still be made.
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
while at <= #ARGV do
  local what, key, n = ARGV[at], KEYS[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2])
  local first, last = at + 3, at + 2 + n
  if what == 'add' then
    add(key, ARGV[first], first + 1, last)
  elseif what == 'note' then
    local seq = redis.call('HINCRBY', key, 'seq', 1)
    redis.call('HSET', KEYS[tonumber(ARGV[first])], seq, ARGV[first + 2])
    redis.call('ZADD', KEYS[tonumber(ARGV[first + 1])], seq, seq)
  elseif what == 'tell' then
    tell(key, ARGV[first], ARGV[first + 1], ARGV[first + 2], ARGV[first + 3], ARGV[first + 4])
  else
    redis.call(what, key, unpack(ARGV, first, last))
  end
  at = last + 1
end
return 'OK'
`,
)

/**
 * Appends messages to a conversation that exists: draws positions, refuses known ids, writes.
 *
 * KEYS: conversation, messages, lock, due, events, then listings where its end slides. ARGV: token, now, user or empty, number of messages, milliseconds of a
 * sliding expiry or empty, the conversation's entry among what is due, events to keep or empty, the conversation as the
 * start of an event's key; then for each message the field of its position, its parent's or empty, and its text.
 */
export const APPEND = script(
  'append',
  `
local call = redis.call
local n, slides, keep = tonumber(ARGV[4]), ARGV[5], ARGV[7]
local fields = {'u', 'p', 'n', 'x', 'y', 'r'}
for j = 0, math.min(n, 1000) - 1 do fields[7 + j] = ARGV[8 + 3 * j + 1] end
local c = call('HMGET', KEYS[1], unpack(fields))
if not c[1] then return {'MISSING'} end
if c[6] == ARGV[1] then return {'OK', tonumber(c[2])} end
local last, now = tonumber(c[2]), tonumber(ARGV[2])
local ends, given = tonumber(c[4] or nil), tonumber(c[5] or nil)
if (ends and ends <= now) or (given and given <= now) then return {'MISSING'} end
if ARGV[3] ~= '' and ARGV[3] ~= c[1] then return {'OTHER'} end
if call('EXISTS', KEYS[3]) == 1 then return {'LOCKED'} end
-- Keys of another type are found before the first write: a failed script is not undone. The first write finds that of
-- the messages.
if (slides ~= '' and not string.find('zset none', call('TYPE', KEYS[4]).ok, 1, true))
  or (keep ~= '' and not string.find('stream none', call('TYPE', KEYS[5]).ok, 1, true)) then return {'WRONGTYPE'} end
for j = 0, n - 1 do
  local found = c[7 + j]
  if j > 999 then found = call('HGET', KEYS[1], ARGV[9 + 3 * j]) end
  if found then return {'EXISTS', j} end
end
local earlier = nil
for j = 0, n - 1 do
  local parent = ARGV[10 + 3 * j]
  if parent ~= '' then
    if not earlier then
      earlier = {}
      for k = 0, j - 1 do earlier[ARGV[9 + 3 * k]] = true end
    end
    if not earlier[parent] and call('HEXISTS', KEYS[1], parent) == 0 then return {'PARENT', j} end
  end
  if earlier then earlier[ARGV[9 + 3 * j]] = true end
end
local set = {'p', last + n, 'n', tonumber(c[3]) + n, 't', ARGV[2], 'r', ARGV[1]}
if slides ~= '' then
  given = now + tonumber(slides)
  set[9], set[10] = 'y', given
end
for i = 0, n - 1, 1000 do
  local members, at, to = {}, #set, 0
  for j = i, math.min(i + 999, n - 1) do
    local position = last + j + 1
    members[to + 1] = 0
    members[to + 2] = string.format('%016.0f%s', position, ARGV[11 + 3 * j])
    to = to + 2
    set[at + 1], set[at + 2] = ARGV[9 + 3 * j], position
    at = at + 2
  end
  call('ZADD', KEYS[2], unpack(members))
  call('HSET', KEYS[1], unpack(set))
  set = {}
end
ends = math.min(ends or math.huge, given or math.huge)
if ends ~= math.huge then
  if slides ~= '' then
    call('ZADD', KEYS[4], ends, ARGV[6])
    for i = 6, #KEYS do call('PEXPIREAT', KEYS[i], ends, 'GT') end
  end
  call('PEXPIREAT', KEYS[1], ends)
  call('PEXPIREAT', KEYS[2], ends)
end
if keep ~= '' then
  local key = ARGV[8] .. cjson.encode(string.sub(ARGV[9 + 3 * (n - 1)], 3)) .. ']'
  local id = call('XADD', KEYS[5], 'MAXLEN', '~', keep, '*', 't', 'message.appended', 'k', key, 'n', ARGV[4], 'a', ARGV[2])
  call('PUBLISH', KEYS[5], id .. ' ' .. cjson.encode({'message.appended', key, ARGV[4], ARGV[2]}))
end
return {'OK', last + n}
`,
)

/** Takes a record in hand, or says that another has it. KEYS: lock, record. ARGV: token, milliseconds, fields. */
export const LOCK = script(
  'lock',
  `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return false end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('HMGET', KEYS[2], unpack(ARGV, 3))
`,
)

/** Lets locks go, or keeps them for longer. KEYS: locks. ARGV: token, milliseconds or empty. Answers how many are held. */
export const RELEASE = script(
  'release',
  `
local held = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then
    held = held + 1
    if ARGV[2] == '' then redis.call('DEL', key) else redis.call('PEXPIRE', key, ARGV[2]) end
  end
end
return held
`,
)

/** Changes cached values; each change is a new version. KEYS: value and version of each. ARGV: version, its milliseconds, then value and milliseconds of each. */
export const CACHE = script(
  'cache',
  `
for i = 1, #KEYS, 2 do
  local value, ms = ARGV[i + 2], ARGV[i + 3]
  redis.call('SET', KEYS[i + 1], ARGV[1], 'PX', ARGV[2])
  if value == '' then
    redis.call('DEL', KEYS[i])
  elseif ms == '' then
    redis.call('SET', KEYS[i], value)
  else
    redis.call('SET', KEYS[i], value, 'PX', ms)
  end
end
return 'OK'
`,
)

/** Fills a cached value unless its version has changed. KEYS: value, version. ARGV: version or empty, value, milliseconds. */
export const FILL = script(
  'fill',
  `
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
`,
)

/** Compares and sets the phase of the journal. KEYS: state, waiting. ARGV: from, epoch, phase, 1 where nothing may wait. */
export const CHANGE_PHASE = script(
  'change-phase',
  `
local state = redis.call('HMGET', KEYS[1], 'epoch', 'phase')
if (state[1] or '0') .. ' ' .. (state[2] or 'idle') ~= ARGV[1] then return 0 end
if ARGV[4] == '1' and redis.call('ZCARD', KEYS[2]) > 0 then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'phase', ARGV[3])
return 1
`,
)

/** Takes, renews or gives back the lease of the journal. KEYS: state. ARGV: owner, now, its end or 0. */
export const LEASE = script(
  'lease',
  `
local held = redis.call('HMGET', KEYS[1], 'owner', 'until')
if ARGV[3] == '0' then
  if held[1] == ARGV[1] then redis.call('HDEL', KEYS[1], 'owner', 'until') end
  return 1
end
if held[1] and held[1] ~= ARGV[1] and tonumber(held[2]) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', ARGV[3])
return 1
`,
)

/** Marks an entry of the journal, or removes it. KEYS: entries, then a list for each state. ARGV: seq, key of the list or 0, text. */
export const MARK = script(
  'mark',
  `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
for i = 2, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[tonumber(ARGV[2])], ARGV[1], ARGV[1])
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
`,
)
