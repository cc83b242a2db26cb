export * as Csv from "./Csv.ts"
export * as Jsonl from "./Jsonl.ts"
