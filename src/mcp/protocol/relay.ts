import type { McpRequest } from './answer.ts'
import type { Members, RpcId } from './message.ts'
import type { ReceivedMessage } from './received-message.ts'

/** A request of a client that a server behind the door answers. */
export interface RelayedRequest {
  readonly id: RpcId
  readonly method: string
  readonly params: Members
  /** Revision that the client speaks. */
  readonly version: string
  readonly isModern: boolean
  readonly header: McpRequest['header']
  readonly received: ReceivedMessage
}

export type RelayedAnswer =
  /** Text of the result, a JSON object in the form of the client's revision. */
  | { readonly kind: 'result'; readonly text: string }
  | {
      readonly kind: 'error'
      readonly code: number
      readonly message: string
      readonly data?: unknown
      /** HTTP status towards a client of 2026-07-28; 200 without. */
      readonly status?: number
    }
  /** The client has given it up: it gets no response. */
  | { readonly kind: 'none' }

/** Answers requests by servers behind a door, in the place of what the door has of its own. */
export interface Relay<Caller> {
  /** Capabilities of the server, as both eras declare them. */
  readonly capabilities: Members
  /** `done` is called exactly once, now or later. */
  answer(caller: Caller, request: RelayedRequest, done: (answer: RelayedAnswer) => void): void
}
