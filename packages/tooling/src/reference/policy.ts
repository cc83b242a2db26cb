/**
 * The page of the policy: every field, as the policy describes itself.
 */
import type { Page } from "./pages.ts"

/** What `Policy.fields` of @ergon/core holds. */
export interface PolicyField {
  readonly path: string
  readonly kind: string
  readonly default: string
  readonly bounds: string
  readonly unit: string
  readonly doc: string
  readonly variable: string
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const row = ({ bounds, default: text, doc, kind, path, unit, variable }: PolicyField): string =>
  `| \`${path}\` | ${kind} | ${cell(text)} | ${cell(bounds)} | ${unit} | ${cell(doc)} | \`${variable}\` |`

const sectionOf = (field: PolicyField): string => field.path.slice(0, field.path.indexOf("."))

/** The page: a table for each part of the policy. */
export const policyPage = (fields: ReadonlyArray<PolicyField>): Page => ({
  path: "policy.md",
  text: [
    "<!-- Generated from the description of the policy by `npm run docs:generate`. -->",
    "# Policy fields",
    "What each means together is told in [concepts: policy](../concepts/policy.md). The environment variable of a field is " +
    "`ERGON_<TASK>_` and the name in the last column. `none` is no bound; in code it is `null`.",
    ...[...Map.groupBy(fields, sectionOf)].map(([section, fields]) =>
      [
        `## ${section}\n`,
        "| field | kind | default | bounds | unit | meaning | variable |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        ...fields.map(row)
      ].join("\n")
    )
  ].join("\n\n")
})
