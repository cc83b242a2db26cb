/**
 * What has to happen in one step, in Lua. Every script names all its keys, and they are in one slot.
 *
 * An entry is held by who has it in the group's list of pending entries, with the count of this hand-over: a receipt of an
 * earlier one matches no more. `asked` says that the same was asked before and the answer was lost: then what nobody
 * holds is taken as done.
 */
import { createHash } from "node:crypto"

export interface Script {
  readonly lua: string
  readonly sha: string
  readonly name: string
}

const script = (name: string, lua: string): Script => ({ name, lua, sha: createHash("sha1").update(lua).digest("hex") })

const time = `
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function int(n) return string.format('%.0f', n) end
`

const copying = `
-- The fields of an entry for a copy of it: under the id that it has always had, with its count.
local function copy(id, fields, deliveries)
  local out, known = {}, false
  for i = 1, #fields, 2 do
    local name = fields[i]
    if name == 'id' and fields[i + 1] ~= '' then known = true end
    if name ~= 'ergon.deliveries' and name ~= 'ergon.reason' and name ~= 'ergon.letter' and
      not (name == 'id' and fields[i + 1] == '') then
      out[#out + 1] = name
      out[#out + 1] = fields[i + 1]
    end
  end
  if not known then out[#out + 1] = 'id'; out[#out + 1] = id end
  if deliveries > 0 then out[#out + 1] = 'ergon.deliveries'; out[#out + 1] = int(deliveries) end
  return out
end
local function get(fields, name)
  for i = 1, #fields, 2 do if fields[i] == name then return fields[i + 1] end end
end
local function before(fields) return tonumber(get(fields, 'ergon.deliveries') or '0') or 0 end
`

const holding = `
local function holder(key, group, id) return redis.call('XPENDING', key, group, id, id, 1)[1] end
-- Whether nobody else may still want what this group has done with.
local function alone(key) return #redis.call('XINFO', 'GROUPS', key) == 1 end
-- What has come to its end is remembered for a while, or not at all.
local function finish(ids, id, retention)
  if tonumber(retention) > 0 then redis.call('ZADD', ids, int(clock() + tonumber(retention)), id)
  else redis.call('ZREM', ids, id) end
end
`

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
 * Acknowledges. KEYS: the stream, the ids. ARGV: group, consumer, `1` to delete what no other group wants, how many, the
 * ids; how many of them have another count than 1 or were asked before, and of these place, count, asked; then of those
 * whose id is unique the place, the transaction's id and its retention. Answers with the places of those that are not held.
 */
export const acknowledge = script(
  "acknowledge",
  `${time}${holding}
local group, consumer, count = ARGV[1], ARGV[2], tonumber(ARGV[4])
local held, lost, isLost = {}, {}, {}
local counts, asked = {}, {}
local at = 6 + count
for _ = 1, tonumber(ARGV[5 + count]) do
  local place = tonumber(ARGV[at])
  counts[place], asked[place] = tonumber(ARGV[at + 1]), ARGV[at + 2] == '1'
  at = at + 3
end
-- One look for all of them, when they are neighbours.
local known = {}
for _, p in ipairs(redis.call('XPENDING', KEYS[1], group, ARGV[5], ARGV[4 + count], count, consumer)) do
  known[p[1]] = p
end
for place = 0, count - 1 do
  local id = ARGV[5 + place]
  local p = known[id] or holder(KEYS[1], group, id)
  if p and p[2] == consumer and p[4] == (counts[place] or 1) then held[#held + 1] = id
  elseif p or not asked[place] then lost[#lost + 1] = place; isLost[place] = true end
end
if #held > 0 then
  redis.call('XACK', KEYS[1], group, unpack(held))
  if ARGV[3] == '1' and alone(KEYS[1]) then redis.call('XDEL', KEYS[1], unpack(held)) end
end
while at <= #ARGV do
  if not isLost[tonumber(ARGV[at])] then finish(KEYS[2], ARGV[at + 1], ARGV[at + 2]) end
  at = at + 3
end
return lost
`
)

/**
 * Moves deliveries. KEYS: stream, again, delayed, dead, ids. ARGV: group, consumer, `1` to delete from the stream, then
 * for each: `1` for the stream and `2` for again, id, count, asked, and what: `again` with `1` to raise the count or `0`;
 * `delay` with milliseconds; `dead` with a reason and the letter. Answers with the places of those that are not held.
 */
export const move = script(
  "move",
  `${time}${copying}${holding}
local group, consumer = ARGV[1], ARGV[2]
local lost = {}
for at = 4, #ARGV, 7 do
  local which, id, what, value, letter = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  local key = KEYS[which]
  local p = holder(key, group, id)
  if p and p[2] == consumer and p[4] == tonumber(ARGV[at + 2]) then
    local entry = redis.call('XRANGE', key, id, id)[1]
    if entry then
      local fields = entry[2]
      local had = before(fields) + p[4] - 1
      if what == 'again' then
        redis.call('XADD', KEYS[2], '*', unpack(copy(id, fields, had + tonumber(value))))
      elseif what == 'delay' then
        redis.call('ZADD', KEYS[3], int(clock() + tonumber(value)), cmsgpack.pack({ id, copy(id, fields, had + 1) }))
      else
        local unique = get(fields, 'ergon.unique')
        local out = copy(id, fields, had)
        out[#out + 1] = 'ergon.reason'; out[#out + 1] = value
        if letter ~= '' then out[#out + 1] = 'ergon.letter'; out[#out + 1] = letter end
        redis.call('XADD', KEYS[4], '*', unpack(out))
        if unique then finish(KEYS[5], get(out, 'id'), unique) end
      end
    elseif what == 'dead' and letter ~= '' then
      -- Somebody has deleted it meanwhile; what is known of it is kept.
      redis.call('XADD', KEYS[4], '*', 'ergon.reason', value, 'ergon.letter', letter)
    end
    redis.call('XACK', key, group, id)
    if which == 2 or (ARGV[3] == '1' and alone(key)) then redis.call('XDEL', key, id) end
  elseif p or ARGV[at + 3] ~= '1' then
    lost[#lost + 1] = (at - 4) / 7
  end
end
return lost
`
)

/** Prolongs leases. KEYS: the stream. ARGV: group, consumer, then id and count. Answers with the places of the lost ones. */
export const extend = script(
  "extend",
  `${time}${holding}
local held, lost = {}, {}
for at = 3, #ARGV, 2 do
  local p = holder(KEYS[1], ARGV[1], ARGV[at])
  if p and p[2] == ARGV[2] and p[4] == tonumber(ARGV[at + 1]) then held[#held + 1] = ARGV[at]
  else lost[#lost + 1] = (at - 3) / 2 end
end
if #held > 0 then
  held[#held + 1] = 'JUSTID'
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, unpack(held))
end
return lost
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
 * Gives back what this consumer holds and takes it out of the group. KEYS: stream, again. ARGV: group, consumer, `1` to
 * delete from the stream, then stream and id of what was handed over: its count is raised. Answers with how many are left.
 */
export const leave = script(
  "leave",
  `${time}${copying}${holding}
local group, consumer, left = ARGV[1], ARGV[2], 0
local handed = {}
for at = 4, #ARGV, 2 do handed[ARGV[at] .. ':' .. ARGV[at + 1]] = true end
for which = 2, 1, -1 do
  local key = KEYS[which]
  local held = redis.call('XPENDING', key, group, '-', '+', 500, consumer)
  local single = which == 2 or (ARGV[3] == '1' and alone(key))
  for _, p in ipairs(held) do
    local entry = redis.call('XRANGE', key, p[1], p[1])[1]
    if entry then
      local had = before(entry[2]) + p[4] - 1
      if handed[which .. ':' .. p[1]] then had = had + 1 end
      redis.call('XADD', KEYS[2], '*', unpack(copy(p[1], entry[2], had)))
    end
    redis.call('XACK', key, group, p[1])
    if single then redis.call('XDEL', key, p[1]) end
  end
  if #held < 500 then redis.call('XGROUP', 'DELCONSUMER', key, group, consumer) else left = left + 1 end
end
return left
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

/**
 * Adds transactions whose ids are unique. KEYS: the stream, the ids. ARGV: how long an id is kept after its end, `1` to
 * take one again that has ended, then for each the number of its fields and these, the value of `id` first.
 */
export const addUnique = script(
  "addUnique",
  `${time}
local now, at, added = clock(), 3, 0
while at <= #ARGV do
  local size = tonumber(ARGV[at])
  local id = ARGV[at + 2]
  local known = redis.call('ZSCORE', KEYS[2], id)
  if not known or (known ~= 'inf' and (ARGV[2] == '1' or tonumber(known) < now)) then
    local fields = { unpack(ARGV, at + 1, at + size) }
    fields[#fields + 1] = 'ergon.unique'; fields[#fields + 1] = ARGV[1]
    redis.call('XADD', KEYS[1], '*', unpack(fields))
    redis.call('ZADD', KEYS[2], '+inf', id)
    added = added + 1
  end
  at = at + size + 1
end
return added
`
)

/** Puts dead letters back with a count of 0. KEYS: dead, again, ids. ARGV: their keys. Answers with those that were there. */
export const putBack = script(
  "putBack",
  `${time}${copying}
local back = {}
for _, key in ipairs(ARGV) do
  local entry = redis.call('XRANGE', KEYS[1], key, key)[1]
  local id = entry and get(entry[2], 'id')
  if id then
    redis.call('XADD', KEYS[2], '*', unpack(copy(id, entry[2], 0)))
    if get(entry[2], 'ergon.unique') then redis.call('ZADD', KEYS[3], '+inf', id) end
    redis.call('XDEL', KEYS[1], key)
    back[#back + 1] = key
  end
end
return back
`
)
