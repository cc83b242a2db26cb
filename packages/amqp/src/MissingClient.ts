/**
 * RabbitMQ needs its client, and the client is not installed.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The client is an optional package, and it is not installed. Nothing was connected.
 *
 * **Details**
 * - `client`: the package.
 * - `version`: the version that this release was tried with.
 *
 * @category errors
 * @since 0.1.0
 */
export class MissingClient extends Schema.TaggedError<MissingClient>("@ergon/amqp/MissingClient")("MissingClient", {
  client: Schema.String,
  version: Schema.String
}) {
  override get message(): string {
    return `@ergon/amqp needs the package ${this.client}, which is not installed: npm install ${this.client}@${this.version}`
  }
}
