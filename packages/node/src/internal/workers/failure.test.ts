import { ConnectorError, Policy, Reason, TaskError } from "@ergon/core"
import { Cause, Config, ConfigProvider, Effect, Exit, Runtime, Schema } from "effect"
import { expect, it } from "vitest"
import { describe as describeCause, unknownTask } from "./failure.ts"

class Own extends Schema.TaggedError<Own>()("Own", {}) {
  override readonly [Runtime.errorExitCode] = 42
}

const causeOf = <A, E>(effect: Effect.Effect<A, E>): Cause.Cause<E> => {
  const exit = Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) throw new Error("it succeeded")
  return exit.cause
}

it("what starting again may mend", () => {
  const fetch = new ConnectorError.FetchError({ reason: new Reason.ConnectionLost({ message: "no broker" }) })
  expect(describeCause(Cause.fail(fetch))).toMatchObject({ tag: "FetchError", exitCode: 1, mends: true })
  expect(describeCause(Cause.die(new TypeError("no")))).toEqual({
    tag: "TypeError",
    reason: "no",
    exitCode: 1,
    mends: true
  })
  expect(describeCause(Cause.fail(new Own()))).toEqual({ tag: "Own", reason: "Own", exitCode: 42, mends: true })
})

it("what it does not mend", () => {
  const refused = new TaskError.TaskRefused({ task: "t", problems: ["p"] })
  expect(describeCause(Cause.fail(refused))).toMatchObject({ tag: "TaskRefused", exitCode: 1, mends: false })
  const policy = new Policy.PolicyError({ problems: ["p"] })
  expect(describeCause(Cause.fail(policy))).toMatchObject({ tag: "PolicyError", exitCode: 2, mends: false })
  const config = Effect.gen(function*() {
    return yield* Config.Int("NOWHERE")
  }).pipe(Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({})))
  expect(describeCause(causeOf(config))).toMatchObject({ tag: "ConfigError", exitCode: 2, mends: false })
  expect(unknownTask("a", ["b", "c"])).toMatchObject({
    exitCode: 2,
    mends: false,
    reason: expect.stringContaining(`only "b", "c"`)
  })
})
