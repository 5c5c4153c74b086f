/** One message at an MCP endpoint: its sender, and its record. */
import type { RefusalCode } from '../../base/refusal.ts'
import type { Caller, MessageOutcome } from '../../gateway/port.ts'
import type { RecordAgent } from '../../record/fields.ts'
import type { Incoming } from '../../wire/port.ts'
import { RPC } from '../protocol/answer.ts'
import type { ReceivedMessage } from '../protocol/received-message.ts'
import type { ToolCall } from '../protocol/tool-call.ts'

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

/** Codes for what the transport of MCP refuses, by HTTP status. */
const BY_STATUS: Readonly<Record<number, RefusalCode>> = {
  403: 'identity_rejected',
  404: 'not_found',
  405: 'method_not_allowed',
  415: 'unsupported_media_type',
}

/** Codes for JSON-RPC errors; all others mean that the message has the wrong form. */
const BY_ERROR: Readonly<Record<number, RefusalCode>> = {
  [RPC.parseError]: 'payload_rejected',
  [RPC.methodNotFound]: 'not_found',
  [RPC.invalidParams]: 'parameter_invalid',
  [RPC.internalError]: 'internal_error',
  [RPC.headerMismatch]: 'request_not_canonical',
}

/** The code of a JSON-RPC error in records, whose list of codes is that of all doors. */
export function refusalOf(error: number, status: number): RefusalCode {
  return BY_ERROR[error] ?? BY_STATUS[status] ?? 'input_invalid'
}

/** What the record of a message says, given the id of its HTTP request. */
export function toMessageOutcome(received: ReceivedMessage, requestId: string): MessageOutcome {
  const { error, outcome } = received
  const refusal = received.refusal ?? (outcome?.kind === 'result' ? (outcome.refusal ?? null) : null)
  return {
    requestId: messageId(requestId, received.place),
    code: refusal ?? (error === null ? null : refusalOf(error, received.status)),
    reason: received.reason || (error === null || refusal !== null ? '' : `JSON-RPC error ${error}`),
    agent: toRecordAgent(received, received.method, received.tool, ''),
    guardrailHits: received.guardrailHits,
  }
}

/** Who asks what. @param reason what the agent gave as its reason. */
export function toRecordAgent(
  said: Pick<ToolCall, 'agent' | 'sessionId' | 'conversationId'> & {
    readonly id: ToolCall['id'] | undefined
  },
  mcpMethod: string,
  tool: string,
  reason: string,
): RecordAgent {
  return {
    name: said.agent.name,
    version: said.agent.version,
    sessionId: said.sessionId,
    conversationId: said.conversationId,
    mcpMethod,
    tool,
    mcpRequestId: said.id === undefined ? '' : String(said.id),
    reason,
  }
}

/** The request id of one message: messages of a batch are told apart from the second on. */
export function messageId(requestId: string, place: number): string {
  return place === 0 ? requestId : `${requestId}.${place + 1}`
}
