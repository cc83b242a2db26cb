/**
 * Scripts that add: transactions with unique ids, and dead letters that go back.
 */
import { copying, script, time } from "./script.ts"

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
