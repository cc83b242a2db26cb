import { Connector, Memory, type Policy, Task, Transaction } from "@ergon/core"
import { Offload } from "@ergon/node"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Schema, Tracer } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { expect, it } from "vitest"
import { Crunch, Unlucky } from "./test/offloadService.ts"

const entry = new URL("./test/offloadEntry.ts", import.meta.url)
const execArgv = ["--conditions=@ergon/source"]

const crunch = (does: typeof Crunch.payload.Type["does"], number: number, file?: string) =>
  Crunch.use((run) => run({ does, number, ...(file === undefined ? {} : { file }) }))

const withThreads = <A, E>(size: number, effect: Effect.Effect<A, E, Crunch>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Offload.layer(Crunch, { entry, size, execArgv })))

const failureOf = <A, E>(exit: Exit.Exit<A, E>): unknown => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

it("results, typed errors and defects cross as their schemas say", () =>
  withThreads(
    1,
    Effect.gen(function*() {
      const answer = yield* crunch("spin", 1)
      expect(answer).toMatchObject({ number: 1, at: new Date(0) })
      expect(answer.thread).toBeGreaterThan(0)
      const failed = failureOf(yield* Effect.exit(crunch("fail", 7)))
      expect(failed).toBeInstanceOf(Unlucky)
      expect(failed).toMatchObject({ number: 7 })
      const died = yield* Effect.exit(crunch("die", 3))
      expect(Exit.isFailure(died) && Cause.hasDies(died.cause)).toBe(true)
      expect(failureOf(died)).toMatchObject({ message: "no way with 3" })
      expect(failureOf(yield* Effect.exit(crunch("misfit", 1)))).toMatchObject({
        message: expect.stringMatching(/integer/)
      })
      expect((yield* crunch("spin", 2)).number).toBe(2)
    })
  ))

it("calls run at the same time in different threads, the others wait in order", () =>
  withThreads(
    2,
    Effect.gen(function*() {
      const order: Array<number> = []
      const answers = yield* Effect.forEach(
        [0, 1, 2, 3],
        (n) => Effect.tap(crunch("spin", 300 + n), ({ number }) => Effect.sync(() => order.push(number))),
        { concurrency: "unbounded" }
      )
      expect(new Set(answers.map(({ thread }) => thread)).size).toBe(2)
      expect(answers[0]!.thread).not.toBe(answers[1]!.thread)
      expect(new Set(order.slice(0, 2))).toEqual(new Set([300, 301]))
    })
  ))

it("the event loop of the caller stays free", () =>
  withThreads(
    1,
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(crunch("spin", 400))
      let turns = 0
      yield* Effect.raceFirst(
        Fiber.await(fiber),
        Effect.forever(Effect.andThen(Effect.sleep(5), Effect.sync(() => turns++)))
      )
      expect(turns).toBeGreaterThan(10)
    })
  ))

it("a thread that crashes fails its own call, and is replaced", () =>
  withThreads(
    2,
    Effect.gen(function*() {
      const [crashed, other] = yield* Effect.all(
        [Effect.exit(crunch("exit", 9)), Effect.exit(crunch("spin", 600))],
        { concurrency: 2 }
      )
      const failure = failureOf(crashed)
      expect(failure).toBeInstanceOf(Offload.OffloadError)
      expect(failure).toMatchObject({ message: `"crunch" was not run: its thread exited with code 9` })
      expect(Exit.isSuccess(other)).toBe(true)
      const after = yield* Effect.forEach([50, 51, 52], (n) => crunch("spin", n), { concurrency: "unbounded" })
      expect(after.map(({ number }) => number)).toEqual([50, 51, 52])
    })
  ))

it("a call that waits is interrupted in its thread, which goes on", () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "ergon-offload-")), "seen")
  return withThreads(
    1,
    Effect.gen(function*() {
      const { thread } = yield* crunch("spin", 1)
      const timedOut = yield* Effect.timeoutOption(crunch("wait", 60_000, file), 200)
      expect(timedOut._tag).toBe("None")
      expect(fs.readFileSync(file, "utf8")).toBe("interrupted\n")
      expect((yield* crunch("spin", 2)).thread).toBe(thread)
      fs.rmSync(path.dirname(file), { recursive: true })
    })
  )
})

it("a call is part of its caller's trace, and logs what its caller logs", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-offload-"))
  const around = (file: string): unknown => JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"))
  class Numbers extends Connector.Source<Numbers>()("numbers", Schema.String) {}
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  const task = Task.consumer("cruncher", Numbers, ({ payload }) => crunch("tell", 1, path.join(folder, payload))).pipe(
    Task.discardFailures,
    Task.policy({ transaction: { trace: "parent" } })
  )
  const traced = Task.run(task).pipe(
    Effect.provideService(Tracer.Tracer, tracer),
    Effect.provide(
      Memory.source(Numbers, [Transaction.make("one", "traced", { traceparent, tracestate: "a=b", baggage: "user=7" })])
    )
  )
  await withThreads(1, Effect.andThen(traced, crunch("tell", 1, path.join(folder, "alone"))))
  const attempt = spans.find(({ name }) => name === "process")
  expect(around("traced")).toEqual({
    headers: {
      traceparent: `00-0af7651916cd43dd8448eb211c80319c-${attempt?.spanId}-01`,
      tracestate: "a=b",
      baggage: "user=7"
    },
    annotations: { task: "cruncher", transaction: "one" }
  })
  expect(around("alone")).toEqual({ headers: {}, annotations: {} })
  fs.rmSync(folder, { recursive: true })
})

it("a deadline ends an endless loop: its thread is terminated, and the next call has another one", () =>
  withThreads(
    1,
    Effect.gen(function*() {
      const { thread } = yield* crunch("spin", 1)
      const [took, timedOut] = yield* Effect.timed(Effect.timeoutOption(crunch("loop", 0), 200))
      expect(timedOut._tag).toBe("None")
      expect(Duration.toMillis(took)).toBeLessThan(3000)
      const next = yield* crunch("spin", 2)
      expect(next.number).toBe(2)
      expect(next.thread).not.toBe(thread)
    })
  ))

it("a transaction's deadline ends an endless loop, and the policy tries a crash again", async () => {
  class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Literals(["loop", "crash"])) {}
  let crashes = 0
  const task = Task.consumer(
    "cruncher",
    Numbers,
    ({ payload }) =>
      payload === "loop" ? crunch("loop", 0) : Effect.suspend(() => crunch(++crashes === 1 ? "exit" : "spin", 1))
  ).pipe(
    Task.discardFailures,
    Task.policy({ process: { retry: { maxAttempts: 2 } } })
  )
  const ofOne = (payload: "loop" | "crash", policy: Policy.Input) =>
    Task.run(task.pipe(Task.policy(policy))).pipe(
      Effect.provide(Memory.source(Numbers, [Transaction.make("one", payload)]))
    )
  const [loop, crash] = await withThreads(
    1,
    Effect.all([ofOne("loop", { transaction: { timeout: 500 } }), ofOne("crash", {})])
  )
  expect(loop).toMatchObject({ fetched: 1, timeout: 1 })
  expect(crash).toMatchObject({ fetched: 1, succeeded: 1, retries: 1 })
})

it("a pool whose threads cannot serve is not made, and says why", async () => {
  class Other extends Offload.Service<Other>()("other", { payload: Schema.Int }) {}
  const failure = <Self>(layer: Layer.Layer<Self, Offload.OffloadError>) =>
    Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(layer))))
  const failures = await Promise.all([
    failure(Offload.layer(Other, { entry, size: 1, execArgv })),
    failure(Offload.layer(Crunch, { entry: "/nowhere/entry.ts", size: 1 })),
    failure(Offload.layer(Crunch, { entry, size: 0 }))
  ])
  expect(failures.map(({ message }) => message)).toEqual([
    `"other" was not run: its entry serves "crunch"`,
    `"crunch" was not run: entry /nowhere/entry.ts does not exist`,
    `"crunch" was not run: size must be a whole number of at least 1, got 0`
  ])
})

it("outside of its threads, serving is an error", async () => {
  const error = await Effect.runPromise(
    Effect.flip(Offload.serve(Crunch, () => Effect.fail(new Unlucky({ number: 1 }))))
  )
  expect(error.message).toBe(`"crunch" was not run: Offload.serve works only in a thread of Offload.layer`)
})
