/** A message while it is answered: its sender, its result and what its record needs. */
import type { RefusalCode } from '../../base/refusal.ts'
import type { McpRequest } from './answer.ts'
import {
  conversationOf,
  type DeclaredAgent,
  isMembers,
  type Members,
  type Message,
  type RpcId,
  toAgent,
} from './message.ts'
import type { ToolOutcome, Trace } from './tool-call.ts'

/** Member of `_meta` in which a client of 2026-07-28 names itself. */
export const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo'

const NO_PARAMS: Members = Object.freeze({})

/** One message, its sender and its result. The codecs fill it in as they read and answer the message. */
export interface ReceivedMessage {
  /** Empty when the message could not be read, or is none that has a method. */
  readonly method: string
  /** Name of the tool of a `tools/call`, as the client wrote it; else empty. A virtual MCP puts any capability here. */
  tool: string
  readonly id: RpcId | undefined
  /** Place in its batch; 0 for a message that came alone. */
  readonly place: number
  readonly conversationId: string
  readonly trace: Trace
  agent: DeclaredAgent
  /** Hash of the legacy session, or empty. */
  sessionId: string
  /** A caller that leaves gives its call up (2026-07-28); in earlier revisions that means nothing. */
  hangUpCancels: boolean
  /** HTTP status of the answer; 0 in a batch, whose messages share one. */
  status: number
  /** Code of the JSON-RPC error it was answered with. */
  error: number | null
  /** Code of the refusal, where the JSON-RPC error does not tell it. */
  refusal: RefusalCode | null
  /** Why, for the record alone; empty where the error says it. */
  reason: string
  /** Of a tool that was run. */
  outcome: ToolOutcome | null
  /** What guardrails found in it, as records have it; empty without. */
  guardrailHits: string
  /** The door has kept account of it already. */
  isAccounted: boolean
}

/** The members that a message itself gives. @param message null for a request that holds none. */
export function toReceived(message: Message | null, request: McpRequest, place: number): ReceivedMessage {
  const isNamed = message !== null && (message.kind === 'request' || message.kind === 'notification')
  const method = isNamed ? message.method : ''
  const params = isNamed ? message.params : NO_PARAMS
  const name = method === 'tools/call' ? params['name'] : undefined
  const meta = params['_meta']
  return {
    method,
    tool: typeof name === 'string' ? name : '',
    id:
      message !== null && (message.kind === 'request' || message.kind === 'invalid') ? message.id : undefined,
    place,
    conversationId: conversationOf(request.header('x-conversation-id'), params),
    trace: traceOf(request, isMembers(meta) ? meta : NO_PARAMS),
    agent: toAgent(isMembers(meta) ? meta[CLIENT_INFO] : undefined),
    sessionId: '',
    hangUpCancels: false,
    status: 0,
    error: null,
    refusal: null,
    reason: '',
    outcome: null,
    guardrailHits: '',
    isAccounted: false,
  }
}

/** Of the message where it names a trace, else of the request that brought it. */
function traceOf({ header }: McpRequest, meta: Members): Trace {
  const { traceparent, tracestate } = meta
  if (typeof traceparent !== 'string') return { parent: header('traceparent'), state: header('tracestate') }
  const isField = typeof tracestate === 'string' && /^[!-~]([ -~]*[!-~])?$/.test(tracestate)
  return { parent: traceparent, state: isField ? tracestate : undefined }
}
