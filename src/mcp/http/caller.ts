import type { Caller } from '../../gateway/port.ts'
import type { Incoming } from '../../wire/port.ts'

/** The sender of a message, and the id that its response carries. */
export interface Sender {
  readonly caller: Caller
  readonly requestId: string
  /** The HTTP request that contained the message. */
  readonly incoming: Incoming
}
