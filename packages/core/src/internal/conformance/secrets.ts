/**
 * The law of secrets: runs a connector through its life and its failures while everything that it logs, traces and
 * fails with is collected, and searches that for the secrets of the harness.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Formatter from "effect/Formatter"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Delivery from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import type * as Harness from "../../testing/Harness.ts"
import * as Transaction from "../../Transaction.ts"
import type { SourceLaw } from "./sourceLaw.ts"
import { type Check, endIsEmpty, expect, request, Time } from "./trial.ts"

export const keepsSecrets = ({ secrets = [] }: Harness.Common): true | string =>
  secrets.length > 0 || "the harness has no secrets"

/** Collects all that could be read later: log lines, spans, and errors with everything that hangs on them. */
class Witness {
  private readonly heard: Array<{ readonly where: string; readonly value: unknown }> = []
  private readonly spans: Array<Tracer.NativeSpan> = []

  /** Runs an operation and keeps what it fails with. It may take its time, but not for ever. */
  attempt(time: Time, what: string, effect: Effect.Effect<unknown, unknown>): Effect.Effect<void> {
    return time.within(what, 2 * time.patience, effect).pipe(
      Effect.catchCause((cause: Cause.Cause<unknown>) =>
        Effect.sync(() => {
          for (const reason of cause.reasons) this.heard.push({ where: `the error of ${what}`, value: reason })
        })
      ),
      Effect.asVoid
    )
  }

  watch<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const logger = Logger.make(({ cause, fiber, message }) => {
      this.heard.push({ where: "a log line", value: [message, cause, fiber.getRef(References.CurrentLogAnnotations)] })
    })
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        this.spans.push(span)
        return span
      }
    })
    return effect.pipe(
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.provideService(Tracer.Tracer, tracer)
    )
  }

  leak(secrets: ReadonlyArray<string>): string | undefined {
    const spans = this.spans.map(({ attributes, events, name, status }) => ({
      where: `the span ${name}`,
      value: [name, attributes, events, status]
    }))
    for (const { value, where } of [...this.heard, ...spans]) {
      if (secrets.some((secret) => shows(value, secret))) return where
    }
    return undefined
  }
}

/** Whether a text shows in a value: in what it prints as, or in anything that hangs on it, eight levels down. */
const shows = (value: unknown, text: string, depth = 8, seen: Set<object> = new Set()): boolean => {
  if (typeof value === "string") return value.includes(text)
  if (typeof value !== "object" || value === null || depth === 0 || seen.has(value)) return false
  seen.add(value)
  if (depth === 8 && Formatter.format(value).includes(text)) return true
  if (value instanceof Map || value instanceof Set) {
    return [...value].some((inner) => shows(inner, text, depth - 1, seen))
  }
  return Object.getOwnPropertyNames(value).some((key) => {
    const property = Object.getOwnPropertyDescriptor(value, key)
    return key.includes(text) || shows(property?.value, text, depth - 1, seen)
  }) || (value instanceof Error && (value.message.includes(text) || value.stack?.includes(text) === true))
}

const search = (
  harness: Harness.Common,
  scenario: (witness: Witness, time: Time) => Effect.Effect<void, never, Scope.Scope>
): Check<void> =>
  Effect.gen(function*() {
    const witness = new Witness()
    const time = new Time(harness)
    yield* witness.watch(Effect.gen(function*() {
      yield* scenario(witness, time)
      for (const failure of harness.failures ?? []) {
        yield* witness.attempt(time, "a failure of the harness", Effect.scoped(failure))
      }
    }))
    const leak = witness.leak(harness.secrets ?? [])
    yield* expect(leak === undefined, () => `${leak} shows one`)
  })

const foreign = Delivery.make(Transaction.make("foreign", null), { receipt: "not a receipt" })

export const secretLaws: ReadonlyArray<SourceLaw> = [{
  name: "no secret shows in an error, a log or a span",
  applies: keepsSecrets,
  check: ({ harness, storage }) =>
    search(harness, (witness, time) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const opened = yield* Effect.exit(Scope.provide(storage.open, scope))
        if (Exit.isFailure(opened)) return yield* witness.attempt(time, "opening", opened)
        const source = opened.value
        const attempt = (what: string, effect: Effect.Effect<unknown, unknown>) => witness.attempt(time, what, effect)
        const fetch = endIsEmpty(source.fetch(request(2, time.look)))
        yield* attempt("enqueueing", storage.enqueue([Transaction.make("law-1", { n: 1 })]))
        yield* attempt("fetching", fetch)
        yield* attempt("settling", source.settle([Disposition.settlement(foreign, Disposition.ack)]))
        if (source.extend !== undefined) yield* attempt("extending", source.extend([foreign]))
        if (source.resolve !== undefined) yield* attempt("resolving", source.resolve("no-such-id"))
        if (source.count !== undefined) yield* attempt("counting", source.count)
        if (source.takeBack !== undefined)
          yield* attempt("taking back", source.takeBack([Transaction.make("law-2", 2)]))
        if (source.letters !== undefined) {
          yield* attempt("listing letters", source.letters.list({ after: undefined, max: 1 }))
          yield* attempt("putting back", source.letters.putBack?.(["no such key"]) ?? Effect.void)
        }
        if (source.health !== undefined)
          yield* attempt("health", source.health)
        if (storage.cut !== undefined) {
          yield* attempt("cutting", storage.cut)
          yield* attempt("fetching after a cut", fetch)
        }
        yield* attempt("closing", Scope.close(scope, Exit.void))
        yield* attempt("fetching after closing", fetch)
        yield* attempt("settling after closing", source.settle([Disposition.settlement(foreign, Disposition.ack)]))
      }))
}]

export const searchSink = (harness: Harness.Sink, storage: Harness.SinkStorage): Check<void> =>
  search(harness, (witness, time) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const opened = yield* Effect.exit(Scope.provide(storage.open, scope))
      if (Exit.isFailure(opened)) return yield* witness.attempt(time, "opening", opened)
      const sink = opened.value
      const attempt = (what: string, effect: Effect.Effect<unknown, unknown>) => witness.attempt(time, what, effect)
      yield* attempt("dispatching", sink.dispatch([Transaction.make("law-1", { n: 1 })]))
      if (storage.refused !== undefined) yield* attempt("dispatching", sink.dispatch([storage.refused(2)]))
      if (sink.health !== undefined) yield* attempt("health", sink.health)
      if (storage.cut !== undefined) {
        yield* attempt("cutting", storage.cut)
        yield* attempt("dispatching after a cut", sink.dispatch([Transaction.make("law-3", { n: 3 })]))
      }
      yield* attempt("closing", Scope.close(scope, Exit.void))
      yield* attempt("dispatching after closing", sink.dispatch([Transaction.make("law-4", { n: 4 })]))
    }))
