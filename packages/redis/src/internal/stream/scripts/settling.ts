/**
 * Scripts of what becomes of deliveries.
 *
 * An entry is held by who has it in the group's list of pending entries, with the count of this hand-over: a receipt of an
 * earlier one matches no more. `asked` says that the same was asked before and the answer was lost: then what nobody
 * holds is taken as done.
 */
import { copying, holding, script, time } from "./script.ts"

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
