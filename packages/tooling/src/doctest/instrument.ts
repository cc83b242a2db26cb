/**
 * Turns `expression // => value` into a check, on the same line, so that the lines of errors stay true.
 *
 * The expression is the statement that ends before the comment, on the same line or on the line above: an expression,
 * or `const x = ...`, whose value is compared. A value that spans lines goes on in the comment lines below. At the top
 * level and in async functions a promise is awaited. Of `console.log(x)` the argument is compared.
 */
import { parseSync, Visitor } from "oxc-parser"
import { lineCounter } from "../workspace/source.ts"

export interface Instrumented {
  readonly code: string
  /** The lines of the checks, counted from 1. Each of them must be reached. */
  readonly checks: ReadonlyArray<number>
  readonly problems: ReadonlyArray<{ readonly line: number; readonly message: string }>
}

interface Target {
  readonly start: number
  readonly end: number
  readonly value: { readonly start: number; readonly end: number }
  readonly kind: "expression" | "binding"
}

const isExpression = (text: string): boolean => parseSync("expected.ts", `async () => (${text})`).errors.length === 0

export const instrument = (code: string): Instrumented => {
  const parsed = parseSync("block.ts", code)
  const lineAt = lineCounter(code)
  const problem = parsed.errors[0]
  if (problem !== undefined) {
    return { code, checks: [], problems: [{ line: lineAt(problem.labels[0]?.start ?? 0), message: problem.message }] }
  }

  const targets: Array<Target> = []
  const functions: Array<{ readonly start: number; readonly end: number; readonly async: boolean }> = []
  const enter = (node: { readonly start: number; readonly end: number; readonly async: boolean }) => {
    functions.push({ start: node.start, end: node.end, async: node.async })
  }
  new Visitor({
    FunctionDeclaration: enter,
    FunctionExpression: enter,
    ArrowFunctionExpression: enter,
    ExpressionStatement({ end, expression, start }) {
      const logged = expression.type === "CallExpression" && expression.arguments.length === 1 &&
          code.slice(expression.callee.start, expression.callee.end) === "console.log"
        ? expression.arguments[0]
        : undefined
      targets.push({ start, end, value: logged ?? expression, kind: "expression" })
    },
    VariableDeclaration({ declarations, end, start }) {
      const [first] = declarations
      if (declarations.length === 1 && first?.id.type === "Identifier") {
        const { start: from, name } = first.id
        targets.push({ start, end, value: { start: from, end: from + name.length }, kind: "binding" })
      }
    }
  }).visit(parsed.program)

  const awaits = (offset: number): boolean => {
    const around = functions.filter(({ end, start }) => start <= offset && offset < end)
    return around.at(-1)?.async ?? true
  }

  const lines = parsed.comments.filter((comment) => comment.type === "Line")
  const edits: Array<{ readonly start: number; readonly end: number; readonly text: string }> = []
  const checks: Array<number> = []
  const problems: Array<{ readonly line: number; readonly message: string }> = []

  lines.forEach((comment, index) => {
    if (!/^ *=>/.test(comment.value)) return
    const line = lineAt(comment.start)
    const target = targets.find(({ end }) =>
      end <= comment.start && /^[ \t;]*\n?[ \t]*$/.test(code.slice(end, comment.start))
    )
    if (target === undefined) {
      problems.push({ line, message: "`// =>` follows no expression and no `const name = ...`" })
      return
    }
    let expected = comment.value.replace(/^ *=>/, "").trim()
    for (let next = index + 1; !isExpression(expected); next++) {
      const more = lines[next]
      if (more === undefined || lineAt(more.start) !== line + next - index) {
        problems.push({ line, message: `\`${expected}\` is not an expression` })
        return
      }
      expected += ` ${more.value.trim()}`
    }
    checks.push(line)
    const value = code.slice(target.value.start, target.value.end)
    const check = `${awaits(target.start) ? "await " : ""}__check(${line}, (${value}), () => (${expected}))`
    const [start, text] = target.kind === "binding" ? [target.end, `; ${check}`] : [target.start, `;${check}`]
    edits.push({ start, end: target.end, text })
  })

  const instrumented = edits.sort((left, right) => right.start - left.start).reduce(
    (soFar, { end, start, text }) => soFar.slice(0, start) + text + soFar.slice(end),
    code
  )
  return { code: instrumented, checks, problems }
}
