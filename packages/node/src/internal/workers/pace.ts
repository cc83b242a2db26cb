/** How often a worker tells how it is. */
import type { Policy } from "@ergon/core"
import * as Duration from "effect/Duration"

/** Every second, and often enough for two beats to every check. */
export const beatEvery = ({ supervision }: Policy.Policy): Duration.Duration =>
  Duration.min(Duration.seconds(1), Duration.times(supervision.check, 0.5))
