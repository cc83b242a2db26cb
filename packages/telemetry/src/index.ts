export * as Observability from "./Observability.ts"
export * as ObservabilityError from "./ObservabilityError.ts"
export * as Recorder from "./Recorder.ts"
