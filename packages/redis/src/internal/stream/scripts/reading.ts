/**
 * Scripts of who reads: the group, what is there for it, and what it looks after.
 */
import { copying, holding, script, time } from "./script.ts"

/** Makes the group at both streams, where it is missing. */
export const ensure = script(
  "ensure",
  `
for i = 1, 2 do
  local made = redis.pcall('XGROUP', 'CREATE', KEYS[i], ARGV[1], i == 1 and ARGV[2] or '0', 'MKSTREAM')
  if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
end
return 1
`
)

/**
 * Looks after the group: moves what is due, claims what nobody has settled within its lease, forgets, trims. KEYS: stream,
 * again, delayed, ids. ARGV: group, consumer, lease, how many to claim, for how long what all groups are done with is kept,
 * and how long a consumer may be idle, or 0 to forget nothing now. Answers with what was claimed (stream, id, count,
 * fields), the milliseconds until the next is due or -1, and how many were moved.
 */
export const tend = script(
  "tend",
  `${time}${copying}
local group, consumer, lease, max = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local now, claimed, moved = clock(), {}, 0
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', int(now), 'LIMIT', 0, 1000)) do
  local added = redis.pcall('XADD', KEYS[2], '*', unpack(cmsgpack.unpack(member)[2]))
  -- No memory for it now: it stays due.
  if type(added) == 'table' then break end
  redis.call('ZREM', KEYS[3], member)
  moved = moved + 1
end
for which = 1, 2 do
  local left = max - #claimed
  local idle = left > 0 and redis.call('XPENDING', KEYS[which], group, 'IDLE', lease, '-', '+', left) or {}
  for _, p in ipairs(idle) do
    -- One that was deleted meanwhile is forgotten by this.
    local entry = redis.call('XCLAIM', KEYS[which], group, consumer, lease, p[1])[1]
    if entry then claimed[#claimed + 1] = { which, entry[1], p[4] + 1, entry[2] } end
  end
end
local idle = tonumber(ARGV[6])
if idle > 0 then redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. int(now)) end
for which = 1, idle > 0 and 2 or 0 do
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[which], group)) do
    if info[4] == 0 and info[6] > idle and info[2] ~= consumer then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[which], group, info[2])
    end
  end
end
local function less(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local function parse(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return { tonumber(ms), tonumber(seq) }
end
-- What all groups are done with: it is before what any of them has pending, and before what it was not handed over.
local floor = { now - tonumber(ARGV[5]), 0 }
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
for _, info in ipairs(groups) do
  local one
  for i = 1, #info, 2 do
    if info[i] == 'last-delivered-id' then one = parse(info[i + 1]) end
  end
  local p = redis.call('XPENDING', KEYS[1], info[2])
  if p[1] > 0 then one = parse(p[2]) else one[2] = one[2] + 1 end
  if less(one, floor) then floor = one end
end
local id = int(floor[1]) .. '-' .. int(floor[2])
-- Who is alone deletes what is done, and counts by what is left: there is little to trim, and that exactly.
if #groups == 1 and ARGV[5] == '0' then redis.call('XTRIM', KEYS[1], 'MINID', '=', id)
else redis.call('XTRIM', KEYS[1], 'MINID', '~', id, 'LIMIT', 10000) end
local due = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
return { claimed, due and math.max(0, tonumber(due) - now) or -1, moved }
`
)

/**
 * What this consumer holds as the server sees it. KEYS: stream, again. ARGV: group, consumer. Answers with stream, id and
 * count of each.
 */
export const mine = script(
  "mine",
  `
local found = {}
for which = 1, 2 do
  for _, p in ipairs(redis.call('XPENDING', KEYS[which], ARGV[1], '-', '+', 10000, ARGV[2])) do
    found[#found + 1] = { which, p[1], p[4] }
  end
end
return found
`
)

/**
 * Reads again what this consumer holds. KEYS: stream, again. ARGV: group, consumer, then stream, id, count. Answers with
 * stream, id, count and fields.
 */
export const readAgain = script(
  "readAgain",
  `
local found = {}
for at = 3, #ARGV, 3 do
  local which = tonumber(ARGV[at])
  local p = redis.call('XPENDING', KEYS[which], ARGV[1], ARGV[at + 1], ARGV[at + 1], 1, ARGV[2])[1]
  if p and p[4] == tonumber(ARGV[at + 2]) then
    redis.call('XCLAIM', KEYS[which], ARGV[1], ARGV[2], 0, ARGV[at + 1], 'JUSTID')
    local entry = redis.call('XRANGE', KEYS[which], ARGV[at + 1], ARGV[at + 1])[1]
    if entry then found[#found + 1] = { which, entry[1], p[4], entry[2] } end
  end
end
return found
`
)

/**
 * Looks for a transaction that waits. KEYS: a stream. ARGV: group, where to go on or nothing, how many to look at, its id.
 * Answers with the id of its entry or nothing, and where to go on or nothing.
 */
export const seek = script(
  "seek",
  `${time}${copying}
local from, last = ARGV[2], ''
if from == '' then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    if info[2] == ARGV[1] then
      for i = 1, #info, 2 do if info[i] == 'last-delivered-id' then from = info[i + 1] end end
    end
  end
end
local entries = redis.call('XRANGE', KEYS[1], '(' .. from, '+', 'COUNT', ARGV[3])
for _, entry in ipairs(entries) do
  local id = get(entry[2], 'id')
  if id == ARGV[4] or ((not id or id == '') and entry[1] == ARGV[4]) then return { entry[1], '' } end
  last = entry[1]
end
return { '', #entries == tonumber(ARGV[3]) and last or '' }
`
)

/**
 * Claims an entry that waits, before its turn. A group hands over in the order of its stream only: the entry goes to what
 * is delivered again, all of that is read, and the others go back. KEYS: stream, again. ARGV: group, consumer, stream, id.
 * Answers with stream, id, count and fields; with nothing when somebody was quicker.
 */
export const claimOne = script(
  "claimOne",
  `${time}${copying}${holding}
local group, which, id = ARGV[1], tonumber(ARGV[3]), ARGV[4]
local key, again = KEYS[which], KEYS[2]
if which == 1 and not alone(key) then return redis.error_reply('SHARED other groups need what is in the stream') end
if redis.call('XLEN', again) - redis.call('XPENDING', again, group)[1] > 1000 then
  return redis.error_reply('BUSY more than 1000 wait to be delivered again')
end
local entry = redis.call('XRANGE', key, id, id)[1]
if not entry or holder(key, group, id) then return {} end
local target = id
if which == 1 then
  target = redis.call('XADD', again, '*', unpack(copy(id, entry[2], before(entry[2]))))
  redis.call('XDEL', key, id)
end
local claimed = {}
local read = redis.call('XREADGROUP', 'GROUP', group, ARGV[2], 'COUNT', 2000, 'STREAMS', again, '>')
for _, one in ipairs(read and read[1][2] or {}) do
  if one[1] == target then
    claimed = { { 2, one[1], 1, one[2] } }
  else
    redis.call('XADD', again, '*', unpack(copy(one[1], one[2], before(one[2]))))
    redis.call('XACK', again, group, one[1])
    redis.call('XDEL', again, one[1])
  end
end
return claimed
`
)

/** Counts. KEYS: stream, again, delayed. ARGV: group, `1` where done ones are deleted. Answers ready, in flight, delayed. */
export const count = script(
  "count",
  `
local ready, flying = 0, 0
for which = 1, 2 do
  local length = redis.call('XLEN', KEYS[which])
  local groups = redis.pcall('XINFO', 'GROUPS', KEYS[which])
  local mine, several = nil, false
  if not groups.err then
    several = #groups > 1
    for _, info in ipairs(groups) do
      if info[2] == ARGV[1] then
        mine = {}
        for i = 1, #info, 2 do mine[info[i]] = info[i + 1] end
      end
    end
  end
  if not mine then
    ready = ready + length
  else
    local pending = mine['pending']
    flying = flying + pending
    if which == 2 or (ARGV[2] == '1' and not several) then ready = ready + math.max(0, length - pending)
    elseif mine['lag'] then ready = ready + mine['lag']
    else ready = ready + #redis.call('XRANGE', KEYS[which], '(' .. mine['last-delivered-id'], '+', 'COUNT', 10000) end
  end
end
return { ready, flying, redis.call('ZCARD', KEYS[3]) }
`
)
