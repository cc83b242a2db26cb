/**
 * Which traces are kept.
 */
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler as SdkSampler,
  TraceIdRatioBasedSampler
} from "@opentelemetry/sdk-trace-base"
import type { Sampler } from "../configuration/effective.ts"
import { decidesAtHeads } from "./heads.ts"

const root = ({ kind, ratio }: Sampler): SdkSampler => {
  switch (kind) {
    case "always":
      return new AlwaysOnSampler()
    case "never":
      return new AlwaysOffSampler()
    case "ratio":
      return new TraceIdRatioBasedSampler(ratio)
  }
}

export const samplerOf = (sampler: Sampler): SdkSampler => {
  // What begins a trace and comes to the SDK has been taken already.
  if (decidesAtHeads(sampler)) return new ParentBasedSampler({ root: new AlwaysOnSampler() })
  return sampler.parentBased ? new ParentBasedSampler({ root: root(sampler) }) : root(sampler)
}
