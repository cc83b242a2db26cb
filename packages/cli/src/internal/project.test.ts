import { Task } from "@ergon/core"
import { Effect, Result } from "effect"
import { describe, expect, it } from "vitest"
import { chosen, Project, taskNamed, withoutTasks, withTasks } from "./project.ts"

const named = (...names: ReadonlyArray<string>) => names.map((name) => Task.make(name, Effect.void))

const outcome = <A, E>(effect: Effect.Effect<A, E, Project>, project: Project["Service"]) =>
  Result.match(Effect.runSync(Effect.result(Effect.provideService(effect, Project, project))), {
    onSuccess: (value) => value,
    onFailure: (error) => String((error as { readonly message: string }).message)
  })

const names = (tasks: ReadonlyArray<{ readonly name: string }> | string) =>
  typeof tasks === "string" ? tasks : tasks.map(({ name }) => name)

describe("the tasks that are meant", () => {
  const two = withTasks(named("orders", "invoices"))

  it("are those named, in the order of the main file", () => {
    expect(names(outcome(chosen(["invoices", "orders"], false), two))).toEqual(["orders", "invoices"])
  })

  it("are all of them with --all, and not together with names", () => {
    expect(names(outcome(chosen([], true), two))).toEqual(["orders", "invoices"])
    expect(outcome(chosen(["orders"], true), two)).toContain("not both")
  })

  it("is the only one there is", () => {
    expect(names(outcome(chosen([], false), withTasks(named("orders"))))).toEqual(["orders"])
  })

  it("are asked for where there are several", () => {
    expect(outcome(chosen([], false), two)).toBe(
      "which task? Name some, or give --all. The tasks are:\n  orders\n  invoices"
    )
  })

  it("are named when they do not exist, all at once, with the nearest", () => {
    const problem = outcome(chosen(["ordrs", "invoics"], false), two)
    expect(problem).toContain("there is no task \"ordrs\". Did you mean \"orders\"?")
    expect(problem).toContain("there is no task \"invoics\". Did you mean \"invoices\"?")
    expect(outcome(taskNamed("nothing"), two)).toBe(
      "there is no task \"nothing\". The tasks are:\n  orders\n  invoices"
    )
  })

  it("are none in an empty project, which says how to add one", () => {
    expect(outcome(chosen([], true), withTasks([]))).toContain("`ergon list` says how to add one")
  })
})

describe("a project", () => {
  it("with the same name twice says so", () => {
    expect(outcome(chosen([], true), withTasks(named("orders", "invoices", "orders"))))
      .toBe("Ergon.main has more than one task \"orders\": every name is there once")
  })

  it("with an empty name says so", () => {
    const [task] = named("orders")
    expect(outcome(chosen([], true), withTasks([{ ...task!, name: " " }]))).toContain("empty name")
  })

  it("that is none says why", () => {
    expect(outcome(taskNamed("orders"), withoutTasks("there is none"))).toBe("there is none")
  })
})
