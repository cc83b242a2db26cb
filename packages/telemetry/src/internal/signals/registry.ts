/**
 * The metrics of one Layer.
 *
 * Effect keeps all metrics of a process in one registry. With two tasks in a process each would export the metrics of
 * both as its own. This registry knows what was used under its Layer, and shares every series with the one around it:
 * what serves the metrics of the whole process still sees all of them.
 */
import type * as Metric from "effect/Metric"

type Entry = Metric.MetricRegistry extends Map<string, infer Value> ? Value : never

export class Registry extends Map<string, Entry> {
  readonly #around: Metric.MetricRegistry

  constructor(around: Metric.MetricRegistry) {
    super()
    this.#around = around
  }

  override get(key: string): Entry | undefined {
    const own = super.get(key)
    if (own !== undefined) return own
    const shared = this.#around.get(key)
    if (shared !== undefined) super.set(key, shared)
    return shared
  }

  override set(key: string, entry: Entry): this {
    this.#around.set(key, entry)
    return super.set(key, entry)
  }

  override delete(key: string): boolean {
    if (this.#around.get(key) === super.get(key)) this.#around.delete(key)
    return super.delete(key)
  }
}
