export * as Database from "./Database.ts"
export * as SetupError from "./SetupError.ts"
export * as Sql from "./Sql.ts"
export * as Sqlite from "./Sqlite.ts"
