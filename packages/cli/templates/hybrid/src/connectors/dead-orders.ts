import { Connector } from "@ergon/core"
import { Sql } from "@ergon/sql"

/** Orders that failed for good: with their payload as it arrived, the reason, the error and the number of tries. */
export class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

export const deadOrdersLive = Sql.deadLetters(DeadOrders)
