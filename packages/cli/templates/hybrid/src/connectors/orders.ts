import { Connector } from "@ergon/core"
import { Sql } from "@ergon/sql"
import { Order } from "../tasks/__TASK__/schemas.ts"

/** The key: what tasks and tests name. It carries the schema of the payload, and knows of no transport. */
export class Orders extends Connector.Queue<Orders>()("orders", Order) {}

/** The transport: a table of the database. Another one is another Layer, here and nowhere else. */
export const ordersLive = Sql.queue(Orders)
