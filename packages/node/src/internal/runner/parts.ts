/**
 * What runs beside the program of a process: its endpoint, its supervision. Each is a Layer that is built before the
 * program and closed after it, and is loaded only when it is asked for.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Runs } from "../../Runs.ts"
import { workerId } from "../workers/role.ts"
import type { Shutdown } from "./shutdown.ts"

/** A part may use what is above it; one that cannot start fails the run. */
export type Part = Layer.Layer<never, unknown, Runs | Shutdown>

export interface PartOptions {
  readonly http?: { readonly port: number; readonly host?: string | undefined } | undefined
  readonly supervision?: boolean | undefined
}

/**
 * The parts that the options ask for, the outermost first. To load one is to import its module:
 * `Effect.map(Effect.promise(() => import("../http/part.ts")), ({ part }) => part(options))`. A worker has none: its host
 * looks after it, and the port is the host's.
 */
export const parts = ({ http, supervision }: PartOptions): ReadonlyArray<Effect.Effect<Part>> => {
  if (workerId() !== undefined) return []
  return [
    ...(http === undefined
      ? []
      : [Effect.map(Effect.promise(() => import("../http/part.ts")), ({ part }) => part(http))]),
    ...(supervision === false
      ? []
      : [Effect.map(Effect.promise(() => import("../supervision/part.ts")), ({ part }) => part)])
  ]
}
