/** A call of a tool as the codecs hand it to an endpoint, and its outcome. */
import type { RefusalCode } from '../../base/refusal.ts'
import type { DeclaredAgent, Members, RpcId } from './message.ts'
import type { Reply } from './sealed-elicitation.ts'

/** What a message says of where it came from. */
export interface Said {
  readonly agent: DeclaredAgent
  /** Hash of the legacy session, or empty. */
  readonly sessionId: string
  /** `X-Conversation-ID`, or the member of the request's `_meta`; or empty. */
  readonly conversationId: string
}

/** Members of `_meta`, or headers, of W3C Trace Context. */
export interface Trace {
  readonly parent: string | undefined
  readonly state: string | undefined
}

/** One `tools/call` after its envelope was judged. */
export interface ToolCall extends Said {
  readonly name: string
  readonly arguments: Members
  readonly id: RpcId
  /** What the client says of its trace, by `_meta` or by headers; nobody has looked at it. */
  readonly trace: Trace
  /** Place in its batch; 0 for a call that came alone. */
  readonly place: number
  /** The call is given up when its HTTP request ends before it; `done` need not be called then. */
  readonly hangUpCancels: boolean
  /** The client can put a question to its person, so that the outcome may be one. */
  readonly canAsk: boolean
  /** What the person said to the question about this very call; null when none was asked, or the reply does not count. */
  readonly reply: Reply | null
}

export type ToolOutcome =
  | {
      readonly kind: 'result'
      /** Text of a JSON object: the structured content, which the text content repeats. */
      readonly json: string
      /** The same text as it stands between the quotes of a JSON string, where the door has it at hand. */
      readonly quoted?: string
      readonly isError: boolean
      /** Further content blocks, such as an embedded resource. */
      readonly blocks?: readonly Members[]
      /** Why it is an error, for who keeps account; the text says it to the client. */
      readonly refusal?: RefusalCode
    }
  /** A question to the person behind the client, by a flat form; the call comes again with the reply. */
  | { readonly kind: 'question'; readonly message: string; readonly form: Members }
  /** Given up, as its client asked: it gets no response. */
  | { readonly kind: 'cancelled' }
  /** The call itself is wrong: unknown tool or arguments of the wrong shape (-32602). */
  | { readonly kind: 'invalid_params'; readonly message: string; readonly data?: Members }
