export * as Csv from "./Csv.ts"
export * as Folder from "./Folder.ts"
export * as Jsonl from "./Jsonl.ts"
