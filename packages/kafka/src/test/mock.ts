/**
 * The test broker: librdkafka's mock cluster, and what it needs of a client.
 *
 * Three things of it are not as in Kafka, and are put right here, through `Cluster`'s option `prepare`:
 *
 * - it announces versions of ListOffsets and InitProducerId that it does not speak: both are capped
 * - it completes a rebalance as soon as the leader has synced, and refuses followers that sync later: a client asks for
 *   the metadata once more before a leader syncs, so that a delay there makes the leader the last
 */
import { kMetadata } from "@platformatic/kafka"
import { Cluster } from "../index.ts"

const caps = new Map([["ListOffsets", 3], ["InitProducerId", 2]])
const leaderLast = 60

interface Api {
  readonly name: string
  maxVersion: number
}

interface Brokers {
  readonly brokers: Map<number, { port: number }>
}

/** The inner method of the client that is changed; it is no part of its public type. */
interface Inner {
  [kMetadata]: (options: unknown, callback: (error: Error | null, result?: Brokers) => void) => void
}

/** With a proxy in front of the broker, which names itself: what it says is rewritten. */
export const prepareFor = (proxy?: number) => async (client: Cluster.Client): Promise<void> => {
  const inner = client as unknown as Inner
  const metadata = inner[kMetadata].bind(client)
  inner[kMetadata] = (options, callback) => {
    const ask = () =>
      metadata(options, (error, result) => {
        if (proxy !== undefined) { for (const broker of result?.brokers.values() ?? []) broker.port = proxy }
        callback(error, result)
      })
    // Only members have a member id and listen for joins.
    const joins = "joinGroup" in client && client.memberId !== null && !client.isActive() &&
      client.listenerCount("consumer:group:join") > 0
    if (joins) setTimeout(ask, leaderLast)
    else ask()
  }
  const apis: Array<Api> = await client.listApis()
  for (const api of apis) api.maxVersion = Math.min(api.maxVersion, caps.get(api.name) ?? api.maxVersion)
  const symbol = Object.getOwnPropertySymbols(client).find(({ description }) => description === "plt.kafka.base.apis")
  if (symbol === undefined) throw new Error("the client has changed: there is no list of APIs any more")
  Reflect.set(client, symbol, apis)
}

/** How the mock on this port is reached, through a proxy where there is one. */
export const options = (port: number, proxy?: number): Cluster.Options => ({
  brokers: [`127.0.0.1:${proxy ?? port}`],
  autocreateTopics: true,
  requestTimeout: "5 seconds",
  connectTimeout: "2 seconds",
  prepare: prepareFor(proxy)
})

export const cluster = (port: number, proxy?: number) => Cluster.layer(options(port, proxy))
