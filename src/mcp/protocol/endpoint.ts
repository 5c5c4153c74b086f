/** One MCP endpoint over Streamable HTTP. It reads a message and hands it to the codec of its era. */
import type { Clock } from '../../base/clock.ts'
import type { HeldCalls } from '../../shared-state/ports/held-calls.ts'
import type { Once, Tombstones } from '../../shared-state/ports/memory.ts'
import { emptyAnswer, errorAnswer, type McpAnswer, type McpRequest, RPC, withHeaders } from './answer.ts'
import type { Door } from './door.ts'
import { createHeldStreams, createSessions } from './held-streams.ts'
import { CALLER_BOUNDS, readJson } from './json.ts'
import { createLegacyCodec } from './legacy.ts'
import { isLegacyVersion, isMembers, isModernVersion, type Message, toClientMessage } from './message.ts'
import { createModernCodec, PROTOCOL_VERSION, refuseVersion } from './modern.ts'
import { toReceived } from './received-message.ts'
import { createQuestions } from './sealed-elicitation.ts'
import { createOpenQuestions } from './stream-elicitation.ts'

export interface EndpointOptions {
  /** 32 bytes that seal session ids; the same on every thread and node. */
  readonly sealKey: Uint8Array
  readonly clock: Clock
  readonly tombstones: Tombstones
  /** Replies to questions that were used. */
  readonly usedReplies: Once
  /** Carries the streams of relayed requests between threads; without it they end with their connection. */
  readonly heldCalls?: HeldCalls
  /** Told of what a door threw; the caller gets -32603. */
  readonly fault: (error: unknown) => void
}

/**
 * One MCP endpoint of both eras over Streamable HTTP. Every answer is plain JSON, which both eras allow, but for one that
 * asks a person first.
 */
export interface McpEndpoint<Caller> {
  /**
   * Judges and answers one HTTP request of a caller that was identified for it. Origin, Host and credentials come
   * before: a client that probes with GET must see the challenge, not 405. `done` is called exactly once.
   */
  answer(caller: Caller, request: McpRequest, done: (answer: McpAnswer) => void): void
  /** Ends what waits for a person, so that all answers come to their end. */
  close(): void
}

/** An endpoint for what `door` serves; each message goes to the codec of its era. */
export function createMcpEndpoint<Caller>(door: Door<Caller>, options: EndpointOptions): McpEndpoint<Caller> {
  const sessions = createSessions(options.sealKey, door.name, options.clock, options.tombstones)
  const questions = createOpenQuestions(options.clock)
  const { heldCalls } = options
  const streams = heldCalls === undefined ? null : createHeldStreams(options.sealKey, door.name, heldCalls)
  const legacy = createLegacyCodec(door, sessions, questions, streams, options.fault)
  const modern = createModernCodec(
    door,
    createQuestions(options.sealKey, door.name, options.clock, options.usedReplies),
    options.fault,
  )

  const refusedBy = (caller: Caller, message: Message): McpAnswer | null =>
    message.kind === 'request'
      ? (door.refuses?.(caller, message.method, message.params, message.id) ?? null)
      : null

  return {
    close: () => questions.close(),
    answer(caller, request, done) {
      function tell(answer: McpAnswer, received = toReceived(null, request, 0)): void {
        received.status = answer.status
        received.error ??= answer.error ?? null
        received.refusal ??= answer.refusal ?? null
        door.answered?.(caller, received)
        done(answer)
      }
      if (request.method === 'DELETE') {
        const received = toReceived(null, request, 0)
        return tell(legacy.end(caller, request, received), received)
      }
      if (request.method === 'GET') {
        const received = toReceived(null, request, 0)
        if (legacy.listen(caller, request, received, (answer) => tell(answer, received))) return
      }
      const refusal = refuseTransport(request)
      if (refusal !== null) return tell(refusal)
      const read = readJson(request.body, CALLER_BOUNDS)
      if (!read.ok)
        return tell(
          errorAnswer(400, undefined, read.syntax ? RPC.parseError : RPC.invalidRequest, read.reason),
        )
      if (Array.isArray(read.value)) {
        if (isModernVersion(request.header('mcp-protocol-version') ?? ''))
          return tell(errorAnswer(400, undefined, RPC.invalidRequest, 'The body must be one message'))
        for (const message of read.value.map(toClientMessage)) {
          const refused = refusedBy(caller, message)
          if (refused !== null) return tell(refused)
        }
        const refused = legacy.answerBatch(caller, read.value, request, done)
        return refused === null ? undefined : tell(refused)
      }
      const message = toClientMessage(read.value)
      const received = toReceived(message, request, 0)
      const answered = (answer: McpAnswer): void => tell(answer, received)
      const refused = refusedBy(caller, message)
      if (refused !== null) return answered(refused)
      if (eraOf(message, request.header('mcp-protocol-version')) === 'legacy')
        return legacy.answer(caller, message, request, received, answered)
      if (message.kind === 'request') return modern.answer(caller, message, request, received, answered)
      answered(answerOneWay(message, request.header('mcp-protocol-version')))
    },
  }
}

/** Method, `Content-Type` and `Accept`; null when they fit. */
function refuseTransport(request: McpRequest): McpAnswer | null {
  if (request.method !== 'POST')
    return withHeaders(errorAnswer(405, undefined, RPC.invalidRequest, 'Send messages by POST'), {
      allow: 'POST, DELETE',
    })
  const type = request.header('content-type') ?? ''
  if (type !== 'application/json' && !/^application\/json[\t ]*(;|$)/i.test(type))
    return errorAnswer(415, undefined, RPC.invalidRequest, 'Content-Type must be application/json')
  const accept = request.header('accept')
  // Nearly all answers are JSON. A client that lists it, or lists nothing, can read them.
  if (
    accept !== undefined &&
    !accept.includes('application/json') &&
    !/application\/json|application\/\*|\*\/\*/i.test(accept)
  )
    return errorAnswer(406, undefined, RPC.invalidRequest, 'Accept must list application/json')
  return null
}

/**
 * Modern: `_meta` names a version, unless it is a legacy one that the header repeats or leaves out; or the header
 * names a version that is not legacy. All else is legacy (2026-07-28, versioning: backward compatibility).
 */
function eraOf(message: Message, header: string | undefined): 'legacy' | 'modern' {
  if (header !== undefined && !isLegacyVersion(header)) return 'modern'
  if (message.kind !== 'request') return 'legacy'
  const meta = message.params['_meta']
  const version = isMembers(meta) ? meta[PROTOCOL_VERSION] : undefined
  if (version === undefined) return 'legacy'
  if (typeof version === 'string' && isLegacyVersion(version) && (header ?? version) === version)
    return 'legacy'
  return 'modern'
}

/** A modern body that waits for no answer: notifications are accepted, responses do not exist. */
function answerOneWay(message: Exclude<Message, { kind: 'request' }>, header: string | undefined): McpAnswer {
  if (header !== undefined && !isModernVersion(header)) return refuseVersion(undefined, header)
  if (message.kind === 'notification') return emptyAnswer(202)
  if (message.kind === 'invalid') return errorAnswer(400, message.id, RPC.invalidRequest, message.reason)
  return errorAnswer(400, undefined, RPC.invalidRequest, 'Clients send no responses in this version')
}
