/**
 * The command line of a project: what its main file says.
 *
 * @since 0.1.0
 */
import type { Task } from "@ergon/core"
import { ErgonRuntime } from "@ergon/node"
import * as Effect from "effect/Effect"

/**
 * @category running
 * @since 0.1.0
 */
export const main = (_tasks: ReadonlyArray<Task.Any<unknown, never>>): void => ErgonRuntime.runMain(Effect.void)
