/** Supervision, as a part of the runner. */
import * as Layer from "effect/Layer"
import type { Part } from "../runner/parts.ts"
import * as Checks from "./checks.ts"
import { superviseRuns } from "./supervise.ts"

export const part: Part = Layer.effectDiscard(superviseRuns).pipe(Layer.provide(Checks.layer))
