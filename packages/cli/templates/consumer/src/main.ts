import { Ergon } from "@ergon/cli"
import { Task } from "@ergon/core"
import { Layer } from "effect"
import { databaseLive } from "./connectors/database.ts"
import { notificationsLive } from "./connectors/notifications.ts"
import { mailerLive } from "./services/mailer.ts"
import { __SAMPLES_ID__ } from "./tasks/__SAMPLES__/task.ts"
import { __TASK_ID__ } from "./tasks/__TASK__/task.ts"

// Tasks say what they need; this file says what that is. A Layer that is missing is an error of the compiler.
const live = Layer.mergeAll(notificationsLive, mailerLive).pipe(Layer.provide(databaseLive))

Ergon.main([__TASK_ID__.pipe(Task.provide(live)), __SAMPLES_ID__.pipe(Task.provide(live))])
