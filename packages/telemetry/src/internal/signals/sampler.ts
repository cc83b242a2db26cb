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

export const samplerOf = (sampler: Sampler): SdkSampler =>
  sampler.parentBased ? new ParentBasedSampler({ root: root(sampler) }) : root(sampler)
