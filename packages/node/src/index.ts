export * as ErgonRuntime from "./ErgonRuntime.ts"
export * as Runs from "./Runs.ts"
export * as Summaries from "./Summaries.ts"
export * as Workers from "./Workers.ts"
