/** What the processes of the tests beside this file send each other. */
import { Offload } from "@ergon/node"
import { Schema } from "effect"

/** `does`: what happens to an order when it is worked on; everything but `slow` and `fail` ends well in the end. */
export const Order = Schema.Struct({
  id: Schema.String,
  does: Schema.Literals(["ok", "retry", "slow", "fail", "again", "kill"])
})

export class Crunch extends Offload.Service<Crunch>()("crunch", {
  payload: Schema.Int,
  success: Schema.Int
}) {}
