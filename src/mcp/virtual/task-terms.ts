import type { OriginReply } from '../origin/answer.ts'
import type { OriginLine } from './origin-line.ts'

/** What is different about a request to an origin that has to do with a task. */
export interface TaskTerms {
  /** Session of an origin of an earlier era that has the task; absent where any session does. */
  readonly session?: string | null
  /** The progress token that the origin got with the call which became the task. */
  readonly progressToken?: string
  /**
   * Gets the reply of the origin first. True: nothing more is to be done with it. A text says what is wrong with it, as the end of a
   * sentence about the origin.
   */
  replied?(reply: OriginReply, line: OriginLine): boolean | string
  /** The request was given up on its way. */
  gaveUp?(line: OriginLine): void
}
