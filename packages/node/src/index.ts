export * as ErgonRuntime from "./ErgonRuntime.ts"
export * as Runs from "./Runs.ts"
export * as Workers from "./Workers.ts"
