/**
 * What this package uses of effect's worker modules. They are unstable: a change of theirs is absorbed here.
 */
export { Spawner, type Worker, WorkerPlatform } from "effect/workers/Worker"
export { WorkerError } from "effect/workers/WorkerError"
export { WorkerRunnerPlatform } from "effect/workers/WorkerRunner"
