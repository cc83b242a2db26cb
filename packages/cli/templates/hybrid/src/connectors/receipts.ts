import { Connector } from "@ergon/core"
import { Sql } from "@ergon/sql"
import { Receipt } from "../tasks/__TASK__/schemas.ts"

export class Receipts extends Connector.Sink<Receipts>()("receipts", Receipt) {}

/**
 * A row for each receipt. Queue and table are of one database here, and then the row and the acknowledgement of its
 * order are written in one transaction.
 */
export const receiptsLive = Sql.table(Receipts)
