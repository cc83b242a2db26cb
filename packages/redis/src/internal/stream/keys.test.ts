import { assert, describe, it } from "@effect/vitest"
import { isStreamName, keysOf } from "./keys.ts"

// CRC16 as Redis Cluster has it, of the hash tag where there is one.
const slot = (key: string): number => {
  const from = key.indexOf("{")
  const to = from < 0 ? -1 : key.indexOf("}", from + 1)
  const hashed = to > from + 1 ? key.slice(from + 1, to) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  }
  return (crc & 0xffff) % 16384
}

describe("the keys of a stream", () => {
  it("the slot is that of Redis", () => assert.strictEqual(slot("123456789"), 0x31c3))

  it.each(["orders", "{shop}:orders", "shop:{eu}:orders", "ünïcödé"])("of %s are in its slot", (stream) => {
    for (const key of Object.values(keysOf(stream, "ergon"))) assert.strictEqual(slot(key), slot(stream), key)
  })

  it("of two groups are different ones, but for the stream and its ids", () => {
    const one = keysOf("orders", "one")
    const two = keysOf("orders", "two")
    assert.strictEqual(one.ids, two.ids)
    for (const key of ["again", "delayed", "dead"] as const) assert.notStrictEqual(one[key], two[key])
  })

  it.each([["", false], ["a}b", false], ["a{b", false], ["{}a", false], ["{a}b", true], ["a b", true]])(
    "the name %s: %s",
    (name, valid) => assert.strictEqual(isStreamName(name), valid)
  )
})
