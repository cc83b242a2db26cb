export * as Faults from "./Faults.ts"
export * as PushSource from "./PushSource.ts"
export * as WatermarkSource from "./WatermarkSource.ts"
