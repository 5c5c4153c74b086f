/** One message at an MCP endpoint: its sender, its record, and the calls that a later message can cancel. */
import type { RefusalCode } from '../../base/refusal.ts'
import type { Caller, MessageOutcome } from '../../gateway/port.ts'
import type { RecordAgent } from '../../record/fields.ts'
import type { Events } from '../../shared-state/ports/events.ts'
import type { CallHandle, Incoming } from '../../wire/port.ts'
import { RPC } from '../protocol/answer.ts'
import type { RpcId } from '../protocol/message.ts'
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

/** Names a call among those of all sessions: an id counts within its session alone, and 1 is not "1". */
export function callName(sessionId: string, id: RpcId): string {
  return `${sessionId} ${typeof id} ${id}`
}

/**
 * The calls of sessions that one thread has under way. A message that gives one up may come to another thread, which publishes that.
 */
export interface RunningCalls {
  begin(name: string, handle: CallHandle): void
  end(name: string, handle: CallHandle): void
  /** Gives up the call of that name, wherever it runs; nothing happens when there is none. */
  cancel(name: string): void
}

/** No calls yet. @param events carries cancellations to the other threads, and those of others here. */
export function createRunningCalls(events: Events): RunningCalls {
  const handles = new Map<string, CallHandle>()

  /** False when no call of that name runs here. */
  function cancelHere(name: string): boolean {
    const handle = handles.get(name)
    handles.delete(name)
    handle?.abort()
    return handle !== undefined
  }

  events.subscribe('call_cancelled', cancelHere)

  return {
    begin: (name, handle) => void handles.set(name, handle),
    end(name, handle) {
      if (handles.get(name) === handle) handles.delete(name)
    },
    cancel(name) {
      if (!cancelHere(name)) events.publish({ topic: 'call_cancelled', text: name })
    },
  }
}
