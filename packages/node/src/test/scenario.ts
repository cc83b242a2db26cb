/**
 * A program that tests of the runner spawn: what it does stands in its first argument, and it says on stdout what happens,
 * a line each, at the moment when it happens.
 */
import { Connector, Decision, Memory, Policy, Task, Transaction } from "@ergon/core"
import * as ErgonRuntime from "../ErgonRuntime.ts"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Shutdown } from "../internal/runner/shutdown.ts"
import { type LayerOf, type Scenario, scenarioOf, type TaskOf } from "./child.ts"

class Own extends Schema.TaggedError<Own>()("Own", { why: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 42

  override get message(): string {
    return this.why
  }
}

class Silent extends Schema.TaggedError<Silent>()("Silent", {}) {
  override readonly [Runtime.errorReported] = false
}

class Broken extends Schema.TaggedError<Broken>()("Broken", { why: Schema.String }) {
  override get message(): string {
    return this.why
  }
}

const say = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

const hang = Effect.uninterruptible(Effect.never)

/** A resource: says when it opens and closes, and can be slow, hang or fail at either. */
const acquire = ({ build, close, fails, name, needs }: LayerOf): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    yield* say(`opening ${name}`)
    if (build === "hang") return yield* hang
    if (typeof build === "number") yield* Effect.sleep(build)
    if (needs !== undefined) yield* Config.Int(needs)
    if (fails === true) return yield* new Broken({ why: `${name} cannot connect` })
    yield* Effect.acquireRelease(say(`opened ${name}`), () =>
      Effect.gen(function*() {
        yield* say(`closing ${name}`)
        if (close === "hang") return yield* hang
        if (close === "fails") return yield* Effect.die(new Error(`${name} did not close`))
        if (typeof close === "number") yield* Effect.sleep(close)
        yield* say(`closed ${name}`)
      }))
  })

const layerOf = (of: LayerOf): Layer.Layer<never, unknown> => Layer.effectDiscard(acquire(of))

/** The last one is built first and closed last. */
const stacked = (layers: ReadonlyArray<LayerOf>): Layer.Layer<never, unknown> =>
  layers.reduce<Layer.Layer<never, unknown>>((inner, outer) => Layer.provideMerge(inner, layerOf(outer)), Layer.empty)

interface Numbers {
  readonly numbers: true
}

const sourceOf = (name: string) => Connector.Source<Numbers>()(name, Schema.Int)

/** A source in memory that says what goes out of it and how it comes back. */
const journaled = (key: ReturnType<typeof sourceOf>, count: number, end: boolean): Layer.Layer<Numbers> =>
  Connector.layerSource(
    key,
    Effect.gen(function*() {
      const transactions = Array.from({ length: count }, (_, n) => Transaction.make(`${key.id}-${n}`, n))
      const context = yield* Layer.build(Memory.source(key, transactions, { end }))
      const { source } = Context.get(context, key)
      return {
        ...source,
        fetch: (request) =>
          Effect.tap(
            source.fetch(request),
            (found) => Effect.forEach(found, ({ transaction }) => say(`fetched ${transaction.id}`))
          ),
        settle: (settlements) =>
          Effect.tap(
            source.settle(settlements),
            () =>
              Effect.forEach(settlements, ({ delivery, disposition }) =>
                say(`settled ${delivery.transaction.id} ${disposition._tag}`))
          )
      }
    })
  )

const consumerOf = (of: TaskOf) => {
  const key = sourceOf(of.name)
  const work = (n: number) =>
    Effect.gen(function*() {
      yield* say(`started ${of.name}-${n}`)
      yield* Effect.sleep(of.work ?? 0)
      if (n < (of.failing ?? 0) || n === of.abort) return yield* new Broken({ why: `${of.name}-${n}` })
      yield* say(`ended ${of.name}-${n}`)
    })
  return Task.consumer(
    of.name,
    key,
    ({ payload }) => of.stubborn === true ? Effect.uninterruptible(work(payload)) : work(payload)
  ).pipe(
    Task.decide(() => of.abort === undefined ? Decision.deadLetter : Decision.abort),
    Task.policy({ loop: { concurrency: of.concurrency ?? 1, streaming: of.streaming ?? false } }),
    Task.provide(journaled(key, of.count ?? 0, of.streaming !== true))
  )
}

const programOf = ({ name, program }: TaskOf) =>
  Task.make(
    name,
    Effect.gen(function*() {
      yield* say(`started ${name}`)
      yield* Effect.sleep(program?.after ?? 0)
      if (program?.fails === true) return yield* new Own({ why: `${name} failed` })
    })
  )

const runOf = (of: TaskOf): Effect.Effect<unknown, unknown> => {
  const policy = Task.policy({ shutdown: { grace: of.grace, close: of.close } })
  if (of.program !== undefined) return Task.run(programOf(of).pipe(policy))
  return Task.run(consumerOf(of).pipe(policy, Task.provide(stacked(of.provide ?? []))))
}

const failing: { readonly [name in NonNullable<Scenario["error"]>]: Effect.Effect<never, unknown> } = {
  policy: Effect.flatMap(Policy.decode({ loop: { concurency: 1 } }), () => Effect.never),
  own: Effect.fail(new Own({ why: "of its own" })),
  defect: Effect.die(new Error("a defect")),
  interrupt: Effect.interrupt,
  silent: Effect.fail(new Silent())
}

const scenario = scenarioOf(process.argv[2])

const program = Effect.gen(function*() {
  for (const resource of scenario.acquires ?? []) yield* acquire(resource)
  if (scenario.open === true) setInterval(() => {}, 1_000_000)
  if (scenario.drain !== undefined) {
    const { drain } = yield* Effect.orDie(Effect.flatMap(Effect.serviceOption(Shutdown), Effect.fromOption))
    yield* Effect.forkChild(Effect.delay(drain(scenario.drain.code, "it is unhealthy"), scenario.drain.after))
  }
  const runs = Effect.all((scenario.tasks ?? []).map(runOf), { concurrency: "unbounded" })
  yield* scenario.then === undefined ? runs : Effect.exit(runs)
  if (scenario.then !== undefined) {
    yield* say("went on")
    yield* Effect.uninterruptible(Effect.sleep(scenario.then))
    yield* say("was done")
  }
  if (scenario.error !== undefined) return yield* failing[scenario.error]
  if (scenario.writes !== undefined) process.stdout.write("x".repeat(scenario.writes - 1) + "\n")
}).pipe(
  Effect.scoped,
  (effect) => (scenario.layers ?? []).reduce((inner, layer) => Effect.provide(inner, layerOf(layer)), effect),
  scenario.json === true
    ? Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatJson)]))
    : (effect) => effect
)

if (scenario.plain === true) (await import("@effect/platform-node/NodeRuntime")).runMain(program)
else {
  ErgonRuntime.runMain(program, {
    supervision: false,
    summary: scenario.summary,
    onSignal: scenario.onSignal === true
      ? ({ count, name }) => void process.stdout.write(`onSignal ${name} ${count}\n`)
      : undefined
  })
}
