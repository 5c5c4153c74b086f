import type { Caller } from '../../gateway/port.ts'
import type { Incoming } from '../../wire/port.ts'

/** Names the principal of a caller, as sessions and waiting calls are bound to it. */
export function identityOf({ client, profile, subject }: Caller): string {
  return subject === '' ? `${client.id}/${profile.id}` : `${client.id}/${profile.id}/${subject}`
}

/** The sender of a message, and the id that its response carries. */
export interface Sender {
  readonly caller: Caller
  readonly requestId: string
  /** The HTTP request that contained the message. */
  readonly incoming: Incoming
}
