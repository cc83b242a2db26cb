/** A service that tests call: what a call does stands in its payload. */
import { Offload } from "@ergon/node"
import * as Schema from "effect/Schema"

export class Unlucky extends Schema.TaggedError<Unlucky>()("Unlucky", { number: Schema.Int }) {}

/**
 * `spin`: milliseconds in synchronous code. `wait`: milliseconds that can be interrupted, and `file` says so then. `tell`:
 * writes what is around the call into `file`.
 */
export class Crunch extends Offload.Service<Crunch>()("crunch", {
  payload: Schema.Struct({
    does: Schema.Literals(["spin", "loop", "exit", "fail", "die", "wait", "misfit", "tell"]),
    number: Schema.Int,
    file: Schema.optional(Schema.String)
  }),
  success: Schema.Struct({ number: Schema.Int, at: Schema.Date, thread: Schema.Int }),
  error: Unlucky
}) {}
