import type { Policy } from "@ergon/core"

/**
 * How the task runs. `npm run plan` shows the whole policy, with the worst-case time of a transaction. The environment
 * and the flags of `ergon run` overrule it: __TASK_ENV___LOOP_CONCURRENCY=32, --loop-concurrency 32.
 */
export const policy = {
  // Go on when the queue is empty. `ergon run --once` ends there instead.
  loop: { streaming: true, concurrency: 8 },
  // Five tries of at most ten seconds each, with waits of up to 1, 2, 4 and 8 seconds between them.
  process: { timeout: "10 seconds", retry: { maxAttempts: 5, backoff: "1 second", multiplier: 2, jitter: "full" } },
  // For all tries together. The supervisor that stops the process waits for as long as `grace` and `close` together
  // take, and a little more: deploy/ has these figures.
  transaction: { timeout: "1 minute" },
  shutdown: { grace: "30 seconds", close: "10 seconds" }
} satisfies Policy.Input
