/** The entry of its threads. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Offload from "@ergon/node/Offload"
import * as Effect from "effect/Effect"
import { Crunch } from "./crunch.ts"
import { work } from "./work.ts"

Offload.serve(Crunch, (number) => Effect.sync(() => number + work())).pipe(NodeRuntime.runMain)
