/**
 * A tracer that keeps count: every span that was begun has to be ended, once.
 */
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export class Spans {
  private readonly open = new Set<Tracer.Span>()
  private count = 0
  /** A span that was ended twice. */
  twice: string | undefined

  readonly tracer: Tracer.Tracer = Tracer.make({
    span: (options) => {
      const n = ++this.count
      const span = new Tracer.NativeSpan({ ...options, links: options.links.slice() })
      // Ids that follow from the order of the spans: the random ones differ from run to run.
      span._spanId = n.toString(16).padStart(16, "0")
      span._traceId = Option.isSome(options.parent) ? options.parent.value.traceId : n.toString(16).padStart(32, "0")
      const end = span.end.bind(span)
      span.end = (at, exit) => {
        if (!this.open.delete(span)) this.twice ??= options.name
        end(at, exit)
      }
      this.open.add(span)
      return span
    }
  })

  /** The names of those that were not ended. */
  get left(): ReadonlyArray<string> {
    return Array.from(this.open, (span) => span.name)
  }
}
