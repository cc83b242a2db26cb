/**
 * What a `Config` of the user's Layers cannot read, by the name of its variable. Values are not shown: they may be
 * secrets.
 */
import type * as Config from "effect/Config"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Str from "effect/String"
import type { Environment } from "./provider.ts"

const variableOf = (path: ReadonlyArray<PropertyKey>, environment: Environment): string => {
  const written = path.map(String).join("_")
  return environment[written] === undefined ? path.map((part) => Str.configCase(String(part))).join("_") : written
}

/** One line for each variable. */
export const explain = ({ cause }: Config.ConfigError, environment: Environment): string => {
  if (!Schema.isSchemaError(cause)) return cause.message
  const { issues } = SchemaIssue.makeFormatterStandardSchemaV1()(cause.issue)
  return issues.map(({ message, path = [] }) => {
    const name = variableOf(path.map((part) => typeof part === "object" ? part.key : part), environment)
    const isSet = (environment[name] ?? "") !== ""
    return `the variable ${name} ${isSet ? "is not valid" : "is not set"}: ${message}`
  }).join("\n")
}
