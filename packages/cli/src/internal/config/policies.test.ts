import { Outline, Task, Transaction } from "@ergon/core"
import { ConfigProvider, Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Project, withTasks } from "../project.ts"
import { adjust } from "./policies.ts"
import { provider } from "./provider.ts"

const orders = Task.producer("orders", [Transaction.make("1", 1)], () => Effect.void).pipe(
  Task.policy({ loop: { concurrency: 2, limit: 100 }, process: { retry: { maxAttempts: 2 } } })
)
const european = Task.producer("orders-eu", [Transaction.make("1", 1)], () => Effect.void)
const tasks = [orders, european]

const adjusted = (
  flags: Parameters<typeof adjust>[1],
  environment: { readonly [name: string]: string },
  chosen: ReadonlyArray<Task.Any<unknown, never>> = tasks
) =>
  adjust(chosen, flags).pipe(
    Effect.provideService(Project, withTasks(tasks)),
    Effect.provideService(ConfigProvider.ConfigProvider, provider(environment))
  )

const valueOf = (task: Task.Any<unknown, never>, path: string) =>
  Outline.of(task).policy.find((field) => field.path === path)?.value

describe("what is laid over the policy of a task", () => {
  it("flags beat environment beats code", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { adjusted: [first, second], problems } = yield* adjusted(
        { loop: { limit: 7 } },
        { ERGON_ORDERS_LOOP_LIMIT: "50", ERGON_ORDERS_LOOP_CONCURRENCY: "4", ERGON_ORDERS_EU_LOOP_CONCURRENCY: "9" }
      )
      expect(problems).toEqual([])
      expect(valueOf(first!.task, "loop.limit")).toBe("7")
      expect(valueOf(first!.task, "loop.concurrency")).toBe("4")
      expect(valueOf(first!.task, "process.retry.maxAttempts")).toBe("2")
      expect(valueOf(second!.task, "loop.concurrency")).toBe("9")
      expect(first!.overlay).toEqual({ loop: { limit: 7, concurrency: 4 } })
    })))

  it("problems of all tasks are told at once", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { problems } = yield* adjusted({}, {
        ERGON_ORDERS_LOOP_CONCURRENCY: "x",
        ERGON_ORDERS_LOPP_LIMIT: "1",
        ERGON_ORDERS_EU_LOOP_CONCURRENCY: "0"
      })
      expect(problems).toHaveLength(3)
      expect(problems.join("\n")).toContain("did you mean ERGON_ORDERS_LOOP_LIMIT?")
    })))

  it("fields that contradict each other are told with their task, once for each", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { problems } = yield* adjusted({ fetch: { timeout: "1 second" } }, {})
      expect(problems).toEqual([
        expect.stringMatching(/^task "orders": fetch\.timeout: /),
        expect.stringMatching(/^task "orders-eu": fetch\.timeout: /)
      ])
    })))

  it("what is wrong with a task that is not meant does not matter", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { problems } = yield* adjusted({}, { ERGON_ORDERS_EU_LOOP_CONCURRENCY: "0" }, [orders])
      expect(problems).toEqual([])
    })))

  it("the variables of the runner are no misspelt fields", () =>
    Effect.runPromise(Effect.gen(function*() {
      const http = Task.producer("http", [Transaction.make("1", 1)], () => Effect.void)
      const { problems } = yield* adjusted({}, { ERGON_HTTP_PORT: "80", ERGON_HTTP_HOST: "localhost" }, [http])
      expect(problems).toEqual([])
    })))
})
