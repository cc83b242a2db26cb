/**
 * Every field of the policy: the one place where defaults, bounds, units and docs stand.
 */
import * as Duration from "effect/Duration"
import {
  autoOrCount,
  boolean,
  bound,
  boundOrNone,
  count,
  countOrNone,
  countOrUnset,
  derived,
  factor,
  rateOrNone,
  wait,
  word
} from "./field.ts"

const retry = {
  maxAttempts: count({ default: 1, unit: "attempts", doc: "All tries together; 1 is a single try and no retry." }),
  backoff: wait({ default: Duration.zero, doc: "The wait between the first try and the second." }),
  multiplier: factor({ default: 1, doc: "What each wait is multiplied by for the next one." }),
  cap: boundOrNone({ default: Duration.infinity, doc: "No wait is longer, jitter included." }),
  jitter: word(["none", "full"], {
    default: "none",
    doc: "`full` draws each wait evenly between 0 and what it would have been."
  })
}

// A sink or a source that can't be reached is tried again for as long as there is time.
const retryOfConnector = {
  ...retry,
  maxAttempts: count({
    default: 1,
    unit: "attempts",
    doc: "All tries for a reason of which nothing is known; a retryable one is tried again until the deadline."
  })
}

const unbounded = {
  retry,
  timeout: boundOrNone({ default: Duration.infinity, doc: "The longest one attempt may take; then it is interrupted." })
}

// The transaction's deadline does not cut these steps: without a bound of their own they could hang for ever.
const bounded = {
  retry,
  timeout: bound({
    default: Duration.seconds(30),
    doc: "The longest one attempt may take; the transaction's deadline does not cut this step."
  })
}

export const description = {
  loop: {
    mode: word(["continuous", "batch"], {
      default: "continuous",
      doc: "`continuous` refills a finished slot at once; `batch` ends a batch before it fetches the next."
    }),
    concurrency: count({ default: 1, unit: "transactions", doc: "How many transactions run at the same time." }),
    streaming: boolean({
      default: false,
      doc: "Whether the run goes on after an empty fetch; if not, it ends there with nothing in flight."
    }),
    limit: countOrNone({
      default: Infinity,
      min: 0,
      unit: "transactions",
      doc: "The run ends after this many; never more are fetched."
    }),
    timeout: boundOrNone({
      default: Duration.infinity,
      doc: "The run ends after this time; what is in flight is interrupted and released."
    }),
    rate: rateOrNone({
      default: undefined,
      unit: "transactions per interval",
      doc: "At most so many transactions are started in any window of the interval."
    }),
    ordering: word(["none", "byKey"], {
      default: "none",
      doc: "`byKey` runs transactions of one key one after another, and different keys side by side."
    })
  },
  fetch: {
    batch: {
      size: countOrUnset("4 times loop.concurrency, in batch mode once", {
        unit: "transactions",
        doc: "The most that one fetch asks for; that it asks for more than free slots takes a prefetch."
      }),
      interval: wait({
        default: Duration.zero,
        doc: "The least time from the start of one batch to the start of the next; only in batch mode."
      })
    },
    prefetch: autoOrCount({
      default: "auto",
      unit: "transactions",
      doc: "How many are fetched ahead; `auto`: twice what starts in one round trip at the observed rate, so 0 for " +
        "slow work, at most fetch.batch.size."
    }),
    wait: wait({
      default: Duration.seconds(2),
      doc: "How long one fetch of a streaming run waits for a first delivery."
    }),
    empty: {
      backoff: wait({ default: Duration.millis(100), doc: "The wait after the first empty fetch; work resets it." }),
      multiplier: factor({ default: 2, doc: "What each wait is multiplied by for the next one." }),
      cap: derived(
        "5 seconds, or fetch.empty.backoff when that is longer",
        bound({ default: Duration.seconds(5), doc: "No wait between empty fetches is longer." })
      )
    },
    retry: {
      maxAttempts: derived(
        "none when loop.streaming, else 1",
        countOrNone({
          default: 1,
          unit: "attempts",
          doc: "All tries of one fetch together; only retryable reasons are tried again."
        })
      ),
      backoff: derived("fetch.empty.backoff", retry.backoff),
      multiplier: derived("fetch.empty.multiplier", retry.multiplier),
      cap: derived("fetch.empty.cap, or fetch.retry.backoff when that is longer", retry.cap),
      jitter: retry.jitter
    },
    timeout: derived(
      "fetch.wait + 30 seconds",
      bound({ default: Duration.seconds(32), doc: "The longest one fetch may take; more than fetch.wait." })
    )
  },
  process: unbounded,
  dispatch: { ...unbounded, retry: retryOfConnector },
  success: unbounded,
  exception: bounded,
  settle: { ...bounded, retry: retryOfConnector },
  transaction: {
    timeout: boundOrNone({
      default: Duration.seconds(60),
      doc: "The deadline of a transaction, from decode to the start of exception or settle."
    }),
    maxDeliveries: count({
      default: 20,
      unit: "deliveries",
      doc: "What was delivered more often is dead-lettered without processing."
    }),
    trace: word(["link", "parent"], {
      default: "link",
      doc: "How a transaction's trace refers to its producer's: as a link, or as its child."
    })
  },
  shutdown: {
    grace: wait({
      default: Duration.seconds(30),
      doc: "How long running work may go on in a drain; the rest is released."
    }),
    close: bound({ default: Duration.seconds(10), doc: "The longest all resources together may take to close." })
  },
  supervision: {
    check: bound({
      default: Duration.seconds(10),
      doc: "The time between two checks of liveness; a connector that does not answer one for so long is unhealthy."
    }),
    startGrace: wait({
      default: Duration.seconds(60),
      doc: "No check counts as failed so soon after the start."
    }),
    unhealthyGrace: wait({
      default: Duration.seconds(30),
      doc: "How long a run may be unhealthy, without one healthy check, before its process is drained and ended."
    }),
    thresholds: {
      fetch: derived(
        "fetch.timeout + fetch.empty.cap",
        boundOrNone({
          default: Duration.infinity,
          doc: "Fetching without progress for so long is unhealthy; waiting between retries is progress."
        })
      ),
      transaction: derived(
        "transaction.timeout + all tries of exception + 2 x exception.timeout",
        boundOrNone({
          default: Duration.infinity,
          doc: "A transaction that runs for so long is unhealthy; no deadline, no threshold."
        })
      )
    }
  }
}

export type Description = typeof description
