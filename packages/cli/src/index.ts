export * as Ergon from "./Ergon.ts"
