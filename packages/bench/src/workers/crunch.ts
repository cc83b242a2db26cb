/** The service of the benchmark that computes in threads. */
import * as Offload from "@ergon/node/Offload"
import * as Schema from "effect/Schema"

export class Crunch extends Offload.Service<Crunch>()("crunch", { payload: Schema.Int, success: Schema.Int }) {}
