/**
 * How the tests reach librdkafka's mock cluster: through `Cluster`'s option `prepare`, which makes clients fit it.
 */
import { Kafka as Lab } from "@ergon/lab"
import { kMetadata } from "@platformatic/kafka"
import { Cluster } from "../index.ts"

interface Brokers {
  readonly brokers: Map<number, { port: number }>
}

/** The inner method of the client that is changed; it is no part of its public type. */
interface Inner {
  [kMetadata]: (options: unknown, callback: (error: Error | null, result?: Brokers) => void) => void
}

/** With a proxy in front of the broker, which names itself to its clients: what it says is rewritten. */
const prepareFor = (proxy?: number) => async (client: Cluster.Client): Promise<void> => {
  const inner = client as unknown as Inner
  const metadata = inner[kMetadata].bind(client)
  inner[kMetadata] = (options, callback) =>
    metadata(options, (error, result) => {
      if (proxy !== undefined) { for (const broker of result?.brokers.values() ?? []) broker.port = proxy }
      callback(error, result)
    })
  await Lab.prepare(client)
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
