/**
 * What has to happen in one step, in Lua. Every script names all its keys, and they are in one slot.
 */
import { createHash } from "node:crypto"

export class Script {
  readonly name: string
  readonly lua: string
  private hash: string | undefined

  constructor(name: string, lua: string) {
    this.name = name
    this.lua = lua
  }

  get sha(): string {
    return this.hash ??= createHash("sha1").update(this.lua).digest("hex")
  }
}

export const script = (name: string, lua: string): Script => new Script(name, lua)

/** `clock`, the server's time in milliseconds, and `int`, a number as Redis takes it. */
export const time = `
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function int(n) return string.format('%.0f', n) end
`

/** `copy`, `get` and `before`: what an entry says. Needs `time`. */
export const copying = `
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

/** `holder`, `alone` and `finish`: who has an entry, and what is over. Needs `time`. */
export const holding = `
local function holder(key, group, id) return redis.call('XPENDING', key, group, id, id, 1)[1] end
-- Whether nobody else may still want what this group has done with.
local function alone(key) return #redis.call('XINFO', 'GROUPS', key) == 1 end
-- What has come to its end is remembered for a while, or not at all.
local function finish(ids, id, retention)
  if tonumber(retention) > 0 then redis.call('ZADD', ids, int(clock() + tonumber(retention)), id)
  else redis.call('ZREM', ids, id) end
end
`
