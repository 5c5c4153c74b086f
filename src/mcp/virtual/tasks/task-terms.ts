/** Terms that the modules of this folder share. */
import type { OriginReply } from '../../origin/answer.ts'
import type { OriginLine } from '../call/origin-line.ts'

/** What was done with the reply of an origin. */
export type Handling =
  /** Nothing: the reply goes to the client as that of any call. */
  | { readonly kind: 'passed' }
  /** The client was answered, or is answered later. */
  | { readonly kind: 'taken' }
  /** The reply cannot be used. @see reason as the end of a sentence about the origin */
  | { readonly kind: 'refused'; readonly reason: string }

export const PASSED: Handling = { kind: 'passed' }
export const TAKEN: Handling = { kind: 'taken' }
/** For an answer that tells of no task. */
export const NO_TASK: Handling = { kind: 'refused', reason: 'its answer tells of no task' }

/** What is different about a request to an origin that has to do with a task. */
export interface TaskTerms {
  /** Session of an origin of an earlier era that has the task; absent where any session does. */
  readonly session?: string | null
  /** The progress token that the origin got with the call which became the task. */
  readonly progressToken?: string
  /** Gets the reply of the origin first. */
  replied?(reply: OriginReply, line: OriginLine): Handling
  /** The request was given up on its way. */
  gaveUp?(line: OriginLine): void
}
