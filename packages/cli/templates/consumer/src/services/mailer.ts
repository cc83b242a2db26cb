import { Context, Effect, Layer, Schema } from "effect"

export interface Mail {
  /** Stays the same when a notification is delivered again: a mail service uses it to send only once. */
  readonly key: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

export class AddressRejected extends Schema.TaggedError<AddressRejected>()("AddressRejected", { to: Schema.String }) {}
export class MailerBusy extends Schema.TaggedError<MailerBusy>()("MailerBusy", { retryAfter: Schema.Duration }) {}

/** A service: an ordinary one of Effect. It knows nothing of transactions; its errors are for the task to decide about. */
export class Mailer extends Context.Service<Mailer, {
  readonly send: (mail: Mail) => Effect.Effect<void, AddressRejected | MailerBusy>
}>()("__PROJECT__/Mailer") {}

/** Says what it would send. Put the API of your mail service in its place. */
export const mailerLive = Layer.succeed(Mailer, {
  send: ({ subject, to }) =>
    to.includes("@") ? Effect.log(`sent to ${to}: ${subject}`) : Effect.fail(new AddressRejected({ to }))
})
