/** /metrics as a real Prometheus sees it, and as the dashboard and the alerts of a new project ask for it. */
import { it } from "@effect/vitest"
import { Telemetry } from "@ergon/core"
import { Port, Program, Prometheus, Services } from "@ergon/lab"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { fileURLToPath } from "node:url"
import { assert } from "vitest"
import { families, prometheusName } from "./internal/http/names.ts"
import { alerts, fileOf, panels, variables } from "./test/observability.ts"

const program = fileURLToPath(new URL("./test/scraped.ts", import.meta.url))

/** What the program's 200 jobs come to, as `./test/scraped.ts` says. */
const outcomes = { succeeded: 160, failed: 20, requeued: 20, timeout: 20, redelivered: 20, released: 0 }
const ended = 240

/** Asks until the answer is the one that is wanted: Prometheus tells nobody when it has scraped. */
const until = <A>(
  running: Program.Program,
  ask: Effect.Effect<A, Prometheus.Refused>,
  wanted: (answer: A) => boolean
) => {
  const asking = ask.pipe(
    Effect.filterOrFail(
      wanted,
      (answer) => new Prometheus.Refused({ message: `after 30 s still ${JSON.stringify(answer)}` })
    ),
    Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 300 })
  )
  const over = Effect.andThen(running.ended, running.log).pipe(
    Effect.flatMap((log) => new Prometheus.Refused({ message: `the program has ended:\n${log}` }))
  )
  return Effect.raceFirst(asking, over)
}

const start = Effect.gen(function*() {
  const port = yield* Port.free
  const prometheus = yield* Prometheus.server({ targets: [port], rules: [fileOf("alerts.yaml")] })
  const running = yield* Program.script(program, [`${port}`], { NO_COLOR: "1" })
  const one = (query: string) =>
    Effect.map(prometheus.query(query), (samples) => samples.length === 1 ? samples[0]?.value : undefined)
  yield* until(running, one("sum(ergon_transactions_total)"), (count) => count === ended)
  // One more scrape: what is asked at most once a second is new, too.
  const scrapes = yield* one("count_over_time(ergon_up[10m])")
  yield* until(running, one("count_over_time(ergon_up[10m])"), (count) => (count ?? 0) > (scrapes ?? 0) + 2)
  return { prometheus, running, one }
})

type Scraped = Effect.Success<typeof start>

/** The counts of the summary, under the names, kinds and labels that are promised. */
const counting = ({ one, prometheus }: Scraped) =>
  Effect.gen(function*() {
    assert.deepStrictEqual(yield* prometheus.targets, [""])

    const of = (name: string) => one(`${name}{ergon_task="jobs"}`)
    for (const [outcome, count] of Object.entries(outcomes)) {
      const name = `ergon_transactions_total{ergon_task="jobs",ergon_outcome="${outcome}"}`
      assert.strictEqual(yield* one(name), count, name)
    }
    const retries = yield* of("ergon_retries_total")
    const counts = {
      fetched: yield* of("ergon_fetched_total"),
      deadLettered: yield* of("ergon_dead_letters_total"),
      discarded: yield* of("ergon_discarded_total")
    }
    assert.deepStrictEqual(counts, { fetched: ended, deadLettered: 40, discarded: 0 })

    // Gauges: what they are now, and that they were something else while there was work.
    for (const gauge of ["ergon_in_flight", "ergon_buffered", "ergon_held", "ergon_settling", "ergon_resisting"]) {
      assert.strictEqual(yield* of(gauge), 0, gauge)
    }
    assert.strictEqual(yield* of("ergon_concurrency"), 8)
    assert.strictEqual(yield* of("ergon_healthy"), 1)
    assert.strictEqual(yield* one("ergon_ready"), 1)
    assert.strictEqual(yield* one(`ergon_backlog{ergon_state="ready"}`), 0)
    const most = yield* one("max_over_time(ergon_in_flight[10m])")
    assert.isTrue(most !== undefined && most > 0 && most <= 8, `${most} in flight`)
    assert.isAbove((yield* one(`max_over_time(ergon_backlog{ergon_state="ready"}[10m])`)) ?? 0, 0)

    // Histograms: every transaction is in one, and time adds up.
    assert.strictEqual(yield* one("sum(ergon_transaction_duration_seconds_count)"), ended)
    assert.strictEqual(yield* one(`sum(ergon_transaction_duration_seconds_bucket{le="+Inf"})`), ended)
    const timeouts = `ergon_transaction_duration_seconds_sum{ergon_outcome="timeout"}`
    assert.isAtLeast((yield* one(timeouts)) ?? 0, 20 * 1)
    const succeeded = `ergon_transaction_duration_seconds_count{ergon_outcome="succeeded"}`
    assert.strictEqual(yield* one(succeeded), outcomes.succeeded)
    const attempts = `sum(ergon_step_duration_seconds_count{ergon_step="process"})`
    assert.isAtLeast((yield* one(attempts)) ?? 0, ended + 40)
    assert.isAbove((yield* one("sum(ergon_settle_failures_total) by (error_type)")) ?? 0, 0)

    // Types, for all of what is there.
    const types = yield* prometheus.types
    for (const { kind, name } of Object.values(families)) {
      if (!name.startsWith("ergon_worker")) assert.strictEqual(types.get(name), kind, name)
    }
    for (const instrument of Object.values(Telemetry.metrics)) {
      assert.strictEqual(types.get(prometheusName(instrument)), instrument.kind, instrument.name)
    }

    // Labels: these and no others, and none is an id.
    const known = new Set([
      ...["__name__", "job", "instance", "le", "error_type"],
      ...["ergon_task", "ergon_outcome", "ergon_state", "ergon_step", "ergon_result"]
    ])
    for (const { labels } of yield* prometheus.query(`{__name__=~"ergon_.+"}`)) {
      for (const [label, value] of Object.entries(labels)) {
        assert.isTrue(known.has(label), label)
        assert.notMatch(value, /job-\d/)
      }
    }
    return { ...counts, retries }
  })

/** Every query of the dashboard has an answer, and no alert is raised. */
const looking = ({ prometheus }: Scraped) =>
  Effect.gen(function*() {
    const empty: Array<string> = []
    const now = Date.now() / 1000
    for (const { query, title } of panels) {
      const [samples, series] = yield* Effect.all([
        prometheus.query(query),
        prometheus.range(query, { from: now - 60, to: now, step: 5 })
      ])
      if (samples.length === 0 || series.length === 0) empty.push(title)
      for (const { value } of samples) assert.isTrue(Number.isFinite(value), `${title}: ${query} is ${value}`)
    }
    // The program has no workers.
    assert.deepStrictEqual([...new Set(empty)], ["Workers, and their restarts"])

    for (const { definition } of variables) {
      const [, of = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? []
      assert.deepStrictEqual(yield* prometheus.labelValues(label, of), ["jobs"], definition)
    }

    for (const { expr } of alerts) yield* prometheus.query(expr)
    assert.deepStrictEqual((yield* prometheus.alerts).filter(({ state }) => state === "firing"), [])
  })

await Services.describe([Prometheus.needs], "a Prometheus that scrapes the endpoint", () => {
  it.live(
    "has the counts of the summary, an answer for every query of the dashboard, and no alert",
    () =>
      Effect.gen(function*() {
        const scraped = yield* start
        const { discarded: _, ...counts } = yield* counting(scraped)
        yield* looking(scraped)

        // What Prometheus has is what the process says at its end.
        const { running } = scraped
        yield* running.signal("SIGTERM")
        const { annotations } = JSON.parse(yield* running.says((line) => line.includes(`"end":"interrupted"`)))
        const { released: __, ...some } = outcomes
        assert.deepInclude(annotations, { ...some, ...counts })
      }),
    60_000
  )
})

const Status = Schema.Struct({
  tasks: Schema.Array(Schema.Struct({
    workers: Schema.Array(Schema.Struct({ pid: Schema.NullOr(Schema.Number), phase: Schema.String }))
  }))
})

/** The process of a worker that runs, as the endpoint knows it. */
const pidOfWorker = (port: number) =>
  Effect.gen(function*() {
    const body = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/status`).then((answer) => answer.json()))
    const { tasks } = yield* Schema.decodeUnknownEffect(Status)(body)
    return tasks[0]?.workers.find(({ phase }) => phase === "running")?.pid ?? undefined
  })

await Services.describe([Prometheus.needs], "a Prometheus that scrapes a task in workers", () => {
  it.live("sees the workers, and that one was killed and started again", () =>
    Effect.gen(function*() {
      const port = yield* Port.free
      const prometheus = yield* Prometheus.server({ targets: [port] })
      const running = yield* Program.script(program, [`${port}`, "2"])
      const one = (query: string) =>
        Effect.map(prometheus.query(query), (samples) => samples.length === 1 ? samples[0]?.value : undefined)
      yield* until(running, one(`ergon_workers{ergon_task="jobs"}`), (count) => count === 2)
      const restarts = `sum(ergon_worker_restarts_total{ergon_task="jobs"})`
      assert.strictEqual(yield* one(restarts), 0)
      const pid = yield* pidOfWorker(port)
      assert.isDefined(pid)
      process.kill(pid, "SIGKILL")
      yield* until(running, one(restarts), (count) => count === 1)
      yield* until(running, one(`ergon_workers{ergon_task="jobs"}`), (count) => count === 2)
      for (const { query } of panels.filter(({ title }) => title.startsWith("Workers"))) {
        assert.isNotEmpty(yield* prometheus.query(query), query)
      }
      assert.strictEqual(yield* one(`count(ergon_worker_restarts_total{ergon_task="jobs", ergon_worker=~"0|1"})`), 2)
    }), 60_000)
})

await Services.describe([Prometheus.needs], "the alerts of a new project", () => {
  it.live("are rules that Prometheus takes, in a configuration that it takes", () =>
    Effect.gen(function*() {
      yield* Prometheus.tool("check", "rules", fileOf("alerts.yaml"))
      yield* Prometheus.tool("check", "config", "--lint=none", fileOf("prometheus.yaml"))
    }))

  it.live("fire when they should, and not when they should not", () =>
    Prometheus.tool("test", "rules", fileOf("alerts_test.yaml")))
})
