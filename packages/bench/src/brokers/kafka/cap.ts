/**
 * The mock broker answers the newest version of two requests wrongly: the client is told of older ones. A real broker
 * needs none of this.
 */
import type { Base, BaseOptions } from "@platformatic/kafka"

const newest: Readonly<Record<string, number>> = { ListOffsets: 3, InitProducerId: 2 }

export const cap = async <Client extends Base<BaseOptions>>(client: Client): Promise<Client> => {
  const versions = await client.listApis()
  const key = Object.getOwnPropertySymbols(client).find(({ description }) => description === "plt.kafka.base.apis")
  if (key === undefined) throw new Error("@platformatic/kafka keeps its API versions elsewhere: see its Base")
  Reflect.set(
    client,
    key,
    versions.map((one) => ({ ...one, maxVersion: Math.min(one.maxVersion, newest[one.name] ?? Infinity) }))
  )
  return client
}
