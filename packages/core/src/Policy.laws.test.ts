import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Duration, Effect, Equal, Exit, Fiber, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import { encode, fill, readTree } from "./internal/policy/decode.ts"
import { type Description, description } from "./internal/policy/description.ts"
import { type Effective, isLeaf, type Leaf, leavesOf, type Tree } from "./internal/policy/field.ts"
import { delayMillis } from "./internal/policy/schedule.ts"
import { leaves } from "./internal/policy/strings.ts"
import * as Policy from "./Policy.ts"

const anyDuration = Arbitrary.all({
  amount: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 }))),
  unit: Arbitrary.schema(Schema.Literals(["nanos", "micros", "millis", "seconds", "minutes", "hours"]))
}).pipe(Arbitrary.map(({ amount, unit }) => Duration.fromInputUnsafe(`${amount} ${unit}`)))

const anyCount = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 })))

const anyBounded = (leaf: Leaf): Arbitrary.Arbitrary<unknown> => {
  if (leaf.kind === "duration") return anyDuration
  if (leaf.kind === "rate") return Arbitrary.all({ limit: anyCount, interval: anyDuration })
  return leaf.none === undefined ? Arbitrary.schema(leaf.type) : anyCount
}

const anyValue = (leaf: Leaf): Arbitrary.Arbitrary<unknown> => {
  const { none } = leaf
  if (none === undefined) return anyBounded(leaf)
  return Arbitrary.all([anyBounded(leaf), Arbitrary.schema(Schema.Boolean)]).pipe(
    Arbitrary.map(([value, off]) => off ? none.value : value)
  )
}

const anyOf = (tree: Tree): Arbitrary.Arbitrary<object> =>
  Arbitrary.all(Object.fromEntries(
    Object.entries(tree).map(([key, node]) => [key, isLeaf(node) ? anyValue(node) : anyOf(node)])
  ))

// Every field anywhere within its own bounds.
const anyPolicy = anyOf(description) as Arbitrary.Arbitrary<Effective<Description>>

const anyRetry = Arbitrary.all({
  maxAttempts: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))),
  backoff: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5000 }))),
  multiplier: Arbitrary.schema(Schema.Literals([1, 1.5, 2, 3, 10])),
  spare: Arbitrary.schema(Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20_000 }))))
}).pipe(Arbitrary.map(({ backoff, maxAttempts, multiplier, spare }) => ({
  maxAttempts,
  backoff,
  multiplier,
  cap: spare === null ? null : backoff + spare
})))

// What the delays are to be, written once more and otherwise.
const reference = (retry: {
  readonly maxAttempts: number
  readonly backoff: number
  readonly multiplier: number
  readonly cap: number | null
}): ReadonlyArray<number> => {
  const delays: Array<number> = []
  for (let next = retry.backoff; delays.length < retry.maxAttempts - 1; next = next * retry.multiplier) {
    delays.push(retry.cap === null ? next : Math.min(next, retry.cap))
  }
  return delays
}

const same = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>): void => {
  assert.strictEqual(actual.length, expected.length)
  actual.forEach((delay, index) => assert.closeTo(delay, expected[index]!, 1e-9 * expected[index]!))
}

describe("the description", () => {
  it.each(leaves.map(({ leaf, path }) => ({ path: path.join("."), leaf })))(
    "$path: the default is valid, and reads back from JSON and from text",
    ({ leaf, path }) => {
      const value = path.split(".").reduce<unknown>(
        (section, key) => (section as { readonly [key: string]: unknown })[key],
        Policy.defaults
      )
      assert.isTrue(Schema.is(leaf.type)(value))
      const json = leaf.write(value)
      assert.deepStrictEqual(
        json === null ? leaf.none : leaf.read(json, "json"),
        { value }
      )
      const text = typeof json === "string" ? json : JSON.stringify(json)
      if (json !== null) assert.deepStrictEqual(leaf.read(text, "text"), { value })
    }
  )

  it.effect.prop(
    "a policy reads back from its JSON as the same policy",
    { policy: anyPolicy },
    ({ policy }) =>
      Effect.sync(() => {
        const { overlay, problems } = readTree(description, JSON.parse(JSON.stringify(encode(policy))), "json")
        assert.deepStrictEqual(problems, [])
        assert.isTrue(Equal.equals(fill(overlay), policy))
      })
  )

  it.effect.prop(
    "an effective policy is a valid input, and decides nothing else",
    { policy: anyPolicy },
    ({ policy }) =>
      Effect.sync(() => {
        const { overlay, problems } = readTree(description, policy, "code")
        assert.deepStrictEqual(problems, [])
        assert.isTrue(Equal.equals(fill(overlay), policy))
      })
  )
})

describe("merge", () => {
  const anyInput = Arbitrary.all({
    loop: Arbitrary.schema(Schema.Struct({
      concurrency: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))),
      limit: Schema.optional(Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })))),
      streaming: Schema.optional(Schema.Boolean)
    })),
    process: Arbitrary.schema(Schema.Struct({
      retry: Schema.optional(Schema.Struct({
        maxAttempts: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })))
      }))
    }))
  })

  it.effect.prop(
    "is associative, and the empty input changes nothing",
    [anyInput, anyInput, anyInput],
    ([a, b, c]) =>
      Effect.sync(() => {
        const left = Policy.make(Policy.merge(Policy.merge(a, b), c))
        assert.deepStrictEqual(left, Policy.make(Policy.merge(a, Policy.merge(b, c))))
        assert.deepStrictEqual(Policy.make(Policy.merge(a, {})), Policy.make(Policy.merge({}, a)))
        assert.strictEqual(
          left.loop.concurrency,
          c.loop.concurrency ?? b.loop.concurrency ?? a.loop.concurrency ?? 1
        )
      })
  )
})

describe("misspelt names", () => {
  const letters = Arbitrary.schema(Schema.Literals([..."abcdefghijklmnopqrstuvwxyz"]))
  const edits = Arbitrary.all({
    leaf: Arbitrary.schema(Schema.Literals(leavesOf(description).map(({ path }) => path.join(".")))),
    depth: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))),
    at: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))),
    letter: letters,
    kind: Arbitrary.schema(Schema.Literals(["add", "drop", "replace", "swap"]))
  })

  const edit = (key: string, kind: string, at: number, letter: string): string => {
    const here = at % key.length
    switch (kind) {
      case "add":
        return key.slice(0, here) + letter + key.slice(here)
      case "drop":
        return key.slice(0, here) + key.slice(here + 1)
      case "replace":
        return key.slice(0, here) + letter + key.slice(here + 1)
      default:
        return key.slice(0, here) + (key[here + 1] ?? "") + key[here] + key.slice(here + 2)
    }
  }

  it.effect.prop(
    "one letter off is told with the name that was meant",
    { change: edits },
    ({ change }) =>
      Effect.gen(function*() {
        const path = change.leaf.split(".")
        const depth = Math.min(change.depth, path.length - 1)
        const key = path[depth]!
        const wrong = edit(key, change.kind, change.at, change.letter)
        const section = path.slice(0, depth).reduce<Tree>((tree, one) => tree[one] as Tree, description)
        if (Object.hasOwn(section, wrong)) return
        const misspelt = [...path.slice(0, depth), wrong]
        const json = [...misspelt].reverse().reduce<unknown>((inner, one) => ({ [one]: inner }), 1)
        const error = yield* Effect.flip(Policy.decode(json))
        assert.lengthOf(error.problems, 1)
        assert.include(error.problems[0], `${misspelt.join(".")}: no such field`)
        assert.include(error.problems[0], `did you mean ${path.slice(0, depth + 1).join(".")}?`)
      })
  )
})

describe("delays", () => {
  it.effect.prop(
    "are those of the reference",
    { retry: anyRetry },
    ({ retry }) => Effect.sync(() => same(Policy.delays(retry), reference(retry)))
  )

  it.effect.prop(
    "are waited between the attempts, and only there",
    { retry: anyRetry },
    ({ retry }) =>
      Effect.gen(function*() {
        const starts: Array<number> = []
        const failing = Effect.suspend(() =>
          Effect.map(Effect.clockWith((clock) => clock.currentTimeMillis), (now) => {
            starts.push(now)
          })
        ).pipe(Effect.andThen(Effect.fail("again")))
        const fiber = yield* Effect.forkChild(Effect.exit(Policy.apply(failing, { retry }, "Laws.failing")))
        yield* TestClock.adjust(Duration.weeks(1e6))
        const exit = yield* Fiber.join(fiber)
        assert.isTrue(Exit.isFailure(exit))
        assert.lengthOf(starts, retry.maxAttempts)
        const gaps = starts.slice(1).map((start, index) => start - starts[index]!)
        const expected = reference(retry)
        gaps.forEach((gap, index) => assert.closeTo(gap, expected[index]!, 1 + 1e-6 * expected[index]!))
      })
  )

  const extremes = Arbitrary.all({
    backoff: Arbitrary.schema(Schema.Literals([0, 1, 1000, Number.MAX_SAFE_INTEGER])),
    multiplier: Arbitrary.schema(Schema.Literals([1, 2, 1e100, Number.MAX_VALUE])),
    cap: Arbitrary.schema(Schema.Literals(["1", "60000", "Infinity"])).pipe(Arbitrary.map(Number)),
    attempt: Arbitrary.schema(Schema.Literals([1, 2, 1000, 1e9, Number.MAX_SAFE_INTEGER])),
    draw: Arbitrary.schema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999999 }))),
    jitter: Arbitrary.schema(Schema.Literals(["none", "full"]))
  })

  it.effect.prop(
    "saturate, never overflow, and never exceed the cap",
    { given: extremes },
    ({ given }) =>
      Effect.sync(() => {
        const retry = {
          backoff: Duration.millis(given.backoff),
          multiplier: given.multiplier,
          cap: Duration.millis(given.cap),
          jitter: given.jitter
        }
        const delay = delayMillis(retry, () => given.draw)(given.attempt)
        assert.isTrue(Number.isFinite(delay) && delay >= 0 && delay <= given.cap && delay <= Number.MAX_SAFE_INTEGER)
        const most = delayMillis({ ...retry, jitter: "none" }, () => 1)(given.attempt)
        assert.strictEqual(delay, given.jitter === "none" ? most : given.draw * most)
        assert.isTrue(delayMillis({ ...retry, jitter: "none" }, () => 1)(given.attempt + 1) >= most)
      })
  )

  it.effect("full jitter draws evenly from [0, delay]", () =>
    Effect.gen(function*() {
      const random = yield* Random.Random
      const delay = delayMillis(
        { backoff: Duration.seconds(1), multiplier: 1, cap: Duration.infinity, jitter: "full" },
        () => random.nextDoubleUnsafe()
      )
      const drawn = Array.from({ length: 20_000 }, () => delay(1))
      const mean = drawn.reduce((sum, one) => sum + one, 0) / drawn.length
      assert.isTrue(drawn.every((one) => one >= 0 && one <= 1000))
      assert.closeTo(mean, 500, 15)
      assert.isBelow(Math.min(...drawn), 5)
      assert.isAbove(Math.max(...drawn), 995)
    }).pipe(Random.withSeed("jitter")))
})
