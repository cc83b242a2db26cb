/**
 * Delays at the broker: a queue for each step of a ladder, in which messages wait for exactly so long and then go back to
 * the queue that they came from. One queue for all delays would not do: RabbitMQ looks at the head of a queue only, so
 * that a long delay would hold up the short ones behind it. A delay is rounded up to the next step.
 */
import type * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import type { Link, Live } from "../client/link.ts"
import { prepare } from "../client/topology.ts"
import { delayName, delayPlan, type QueuePlan } from "../settings/topology.ts"

export interface Step {
  readonly label: string
  readonly millis: number
}

const units: ReadonlyArray<readonly [unit: string, millis: number, numbers: ReadonlyArray<number>]> = [
  ["ms", 1, [50, 100, 200, 300, 500, 750]],
  ["s", 1000, [1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 45]],
  ["m", 60_000, [1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 45]],
  ["h", 3_600_000, [1, 1.5, 2, 3, 4, 6, 8, 12, 18]],
  ["d", 86_400_000, [1, 2, 3, 5, 7, 10, 14, 21, 30]]
]

const steps: ReadonlyArray<Step> = units.flatMap(([unit, millis, numbers]) =>
  numbers.map((number) => ({ label: `${number}${unit}`, millis: number * millis }))
)

/** The longest delay. */
export const longest = 30 * 86_400_000

/** The first step that is not shorter; `undefined` for what is longer than all. */
export const stepOf = (millis: number): Step | undefined => steps.find((step) => step.millis >= millis)

/** The queues of delays that are known to be there: made when a delay is first used. */
export class Delays {
  private readonly link: Link
  private readonly made = new Map<string, Live>()

  constructor(link: Link) {
    this.link = link
  }

  get queues(): ReadonlyArray<string> {
    return [...this.made.keys()]
  }

  /** The queue for a delay of a queue. It is declared once for each connection: somebody may have deleted it. */
  queueFor(target: QueuePlan, step: Step): Effect.Effect<string, Reason.Reason> {
    const name = delayName(target.name, step.label)
    return Effect.flatMap(this.link.open(5_000), (live) =>
      this.made.get(name) === live
        ? Effect.succeed(name)
        : Effect.map(
          prepare(
            this.link,
            live,
            { exchanges: [], required: [], queues: [delayPlan(target, name, step.millis)] },
            true
          ),
          () => {
            this.made.set(name, live)
            return name
          }
        ))
  }
}
