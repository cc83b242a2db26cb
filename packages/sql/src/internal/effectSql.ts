/**
 * What this package uses of effect's SQL modules. They are unstable: a change of theirs is absorbed here.
 */
export * as Client from "effect/sql/SqlClient"
export type { Connection, Row } from "effect/sql/SqlConnection"
export {
  AuthenticationError,
  AuthorizationError,
  classifySqliteError,
  ConnectionError,
  ConstraintError,
  DeadlockError,
  LockTimeoutError,
  SerializationError,
  SqlError,
  SqlSyntaxError,
  StatementTimeoutError,
  UniqueViolation,
  UnknownError
} from "effect/sql/SqlError"
export { defaultEscape, makeCompiler, makeCompilerSqlite } from "effect/sql/Statement"
export * as Reactivity from "effect/reactivity/Reactivity"
