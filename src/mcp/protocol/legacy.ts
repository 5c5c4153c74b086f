/** The codec of the revisions with a handshake, 2024-11-05 to 2025-11-25. */
import {
  answerOf,
  emptyAnswer,
  errorAnswer,
  errorText,
  jsonAnswer,
  type McpAnswer,
  type McpRequest,
  RPC,
  resultAnswer,
  resultText,
  withHeaders,
} from './answer.ts'
import type { Door, Tool, ToolDoor } from './door.ts'
import type { HeldStreams, Session, Sessions } from './held-streams.ts'
import {
  ASKING_VERSIONS,
  ASSUMED_VERSION,
  BATCH_VERSION,
  type DeclaredAgent,
  isLegacyVersion,
  LEGACY_VERSIONS,
  type Members,
  type Message,
  type RpcId,
  rpcIdIn,
  sentResult,
  toAgent,
  toClientMessage,
} from './message.ts'
import { createRelayStream, type RelayStream, type Resumable, refuseVersion } from './modern.ts'
import { aboutOf, errorOf, type Offered, offer } from './offers.ts'
import { type ReceivedMessage, toReceived } from './received-message.ts'
import type { Relay, RelayedRequest } from './relay-port.ts'
import { askableOf, type ClientAnswer, type ClientQuestions } from './relayed-requests.ts'
import { type Asking, callTool } from './run-tool-call.ts'
import { takesForms } from './sealed-elicitation.ts'
import { openEventStream } from './sse-reader.ts'
import { type AskingCall, askByStream, KEEP_ALIVE_MS, type OpenQuestions } from './stream-elicitation.ts'

/** Messages in one batch. Beyond, the batch is refused. */
const BATCH_MAX = 32

/** The code of these revisions (2025-11-25, server/resources: error handling). */
const RESOURCE_NOT_FOUND = -32002

/** The revision in which streams say how they are resumed (SEP-1699); clients of earlier ones may stumble over an event without data. */
const RESUMING_VERSION = '2025-11-25'

const UNKNOWN_AGENT: DeclaredAgent = { name: '', version: '' }

/** The codec of 2024-11-05 to 2025-11-25: a handshake, optional sessions, batches in one revision. */
export interface LegacyCodec<Caller> {
  answer(
    caller: Caller,
    message: Message,
    request: McpRequest,
    received: ReceivedMessage,
    done: (answer: McpAnswer) => void,
  ): void
  /** Gives the refusal of the whole batch; else null, and `done` is called when all its messages were answered. */
  answerBatch(
    caller: Caller,
    messages: readonly unknown[],
    request: McpRequest,
    done: (answer: McpAnswer) => void,
  ): McpAnswer | null
  /** GET: opens the stream of a session, or resumes that of a request. False at a door without streams. */
  listen(
    caller: Caller,
    request: McpRequest,
    received: ReceivedMessage,
    done: (answer: McpAnswer) => void,
  ): boolean
  /** DELETE: ends a session. */
  end(caller: Caller, request: McpRequest, received: ReceivedMessage): McpAnswer
}

/** A codec that answers for `door`; what it throws goes to `fault`. */
export function createLegacyCodec<Caller>(
  door: Door<Caller>,
  sessions: Sessions,
  questions: OpenQuestions,
  heldStreams: HeldStreams | null,
  fault: (error: unknown) => void,
): LegacyCodec<Caller> {
  const plain = (members: string): string => `{${members}}`
  const aboutFor = aboutOf(door)
  const listed = new WeakMap<readonly Tool[], string>()
  function listOf(tools: readonly Tool[]): string {
    let text = listed.get(tools)
    if (text === undefined) {
      text = JSON.stringify({ tools })
      listed.set(tools, text)
    }
    return text
  }

  /** The session and version that a message belongs to, or why there is none. A client may leave the session out. */
  function contextOf(
    caller: Caller,
    request: McpRequest,
  ): McpAnswer | { session: Session | null; version: string } {
    const header = request.header('mcp-protocol-version')
    if (header !== undefined && !isLegacyVersion(header)) return refuseVersion(undefined, header)
    const id = request.header('mcp-session-id')
    const session = id === undefined ? null : sessions.open(id, door.identityOf(caller))
    if (id !== undefined && session === null) return unknownSession()
    return { session, version: header ?? session?.version ?? ASSUMED_VERSION }
  }

  function initialize(
    caller: Caller,
    message: Extract<Message, { kind: 'request' }>,
    received: ReceivedMessage,
  ): McpAnswer {
    const { id, params } = message
    const identity = door.identityOf(caller)
    received.agent = toAgent(params['clientInfo'])
    const requested = params['protocolVersion']
    if (typeof requested !== 'string')
      return errorAnswer(200, id, RPC.invalidParams, 'protocolVersion must be a string', {
        pointer: '/params/protocolVersion',
      })
    const version = isLegacyVersion(requested) ? requested : LEGACY_VERSIONS[0]
    const { capabilities, instructions } = aboutFor(caller, false)
    const result = JSON.stringify({
      protocolVersion: version,
      capabilities,
      serverInfo: door.info,
      instructions,
    })
    const session = sessions.seal({
      identity,
      agent: received.agent,
      version,
      takesForms: takesForms(params['capabilities']),
      askable: door.relay?.sessions == null ? {} : askableOf(params['capabilities']),
    })
    received.sessionId = sessions.open(session, identity)?.hashedId ?? ''
    return withHeaders(jsonAnswer(200, resultText(id, result)), { 'mcp-session-id': session })
  }

  /** Gives the text of a response; null for what is accepted without one. */
  function reply(
    caller: Caller,
    message: Message,
    session: Session | null,
    received: ReceivedMessage,
    asking: Asking | null,
    version: string,
    done: (text: string | null) => void,
  ): void {
    identify(received, session)
    if (session !== null) take(session, message)
    if (message.kind !== 'request' || message.method === 'ping') done(replyAtOnce(message, received))
    else if (door.relay !== undefined)
      relayed(door.relay, caller, message, { session, version }, received, null, done)
    else if (message.method === 'tools/call')
      callTool(door, caller, message.params, message.id, received, plain, asking, fault, done)
    else {
      const offered = offer(door, caller, message.method, message.params, received)
      if (offered === null) {
        done(replyOfTools(door, caller, message, received))
        return
      }
      offered.then(
        (found) => done(offeredText(message.id, found, received)),
        (error: unknown) => {
          fault(error)
          received.error = RPC.internalError
          done(errorText(message.id, RPC.internalError, 'Internal error'))
        },
      )
    }
  }

  function offeredText(id: RpcId, offered: Offered, received: ReceivedMessage): string {
    if (offered.kind === 'result') return resultText(id, JSON.stringify(offered.result))
    const { code, message, data } = errorOf(offered, RESOURCE_NOT_FOUND)
    received.error = code
    return errorText(id, code, message, data)
  }

  /** What a client says of calls and questions. Only a session tells whose ids are meant. */
  function take({ identity, hashedId: sessionId }: Session, message: Message): void {
    if (message.kind === 'response') {
      questions.answer({ identity, sessionId }, message.id, message.result)
      door.relay?.sessions?.questions.answer({ identity, sessionId }, message.id, message.result)
    }
    if (message.kind !== 'notification' || message.method !== 'notifications/cancelled') return
    const requestId = rpcIdIn(message.params, 'requestId')
    if (requestId === undefined) return
    questions.cancel(sessionId, requestId)
    door.cancel?.(sessionId, requestId)
  }

  /** A call asks where the client takes questions, and a stream to ask on. */
  function askingOf(
    session: Session | null,
    message: Message,
    request: McpRequest,
    done: (answer: McpAnswer) => void,
  ): AskingCall {
    const alone = { asking: null, respond: (text: string | null) => done(answerOf(text)) }
    if (message.kind !== 'request' || session === null || !session.takesForms) return alone
    const { identity, hashedId: sessionId, version } = session
    const isAble = ASKING_VERSIONS.has(version) && /text\/event-stream/i.test(request.header('accept') ?? '')
    if (!isAble) return alone
    const isOpen = (): boolean => sessions.open(request.header('mcp-session-id') ?? '', identity) !== null
    return askByStream(questions, { identity, sessionId, callId: message.id }, version, isOpen, done)
  }

  function replyAtOnce(message: Message, received: ReceivedMessage): string | null {
    if (message.kind === 'invalid')
      return refused(message.id, RPC.invalidRequest, message.reason, undefined, received)
    return message.kind === 'request' ? resultText(message.id, '{}') : null
  }

  function replyOfTools(
    own: ToolDoor<Caller>,
    caller: Caller,
    { id, method, params }: Extract<Message, { kind: 'request' }>,
    received: ReceivedMessage,
  ): string {
    if (method !== 'tools/list')
      return refused(id, RPC.methodNotFound, 'Method not found', { method }, received)
    if (params['cursor'] !== undefined)
      return refused(id, RPC.invalidParams, 'Unknown cursor', { pointer: '/params/cursor' }, received)
    return resultText(id, listOf(own.tools(caller)))
  }

  /** A client that knows how is told how to come back to the stream of its request. */
  function resumableOf(
    relay: Relay<Caller>,
    caller: Caller,
    { session, version }: { readonly session: Session | null; readonly version: string },
    received: ReceivedMessage,
  ): Resumable | null {
    const { sessions: streams } = relay
    if (heldStreams === null || streams === null || session === null || version !== RESUMING_VERSION)
      return null
    const owner = { identity: session.identity, sessionId: session.hashedId }
    return {
      open: (left) => heldStreams.open(owner, streams.holderOf(caller), streams.reserve(caller), left),
      isAccounted: () => received.isAccounted,
    }
  }

  /** The answer to a GET; null for one that `later` gets. */
  function listened(
    streams: NonNullable<Relay<Caller>['sessions']>,
    caller: Caller,
    request: McpRequest,
    received: ReceivedMessage,
    later: (answer: McpAnswer) => void,
  ): McpAnswer | null {
    const refuse = (status: number, reason: string): McpAnswer =>
      errorAnswer(status, undefined, RPC.invalidRequest, reason)
    const context = contextOf(caller, request)
    if ('status' in context) return context
    const { session } = context
    identify(received, session)
    if (session === null) return refuse(400, 'Mcp-Session-Id is missing')
    if (!/text\/event-stream/i.test(request.header('accept') ?? ''))
      return refuse(406, 'Accept must list text/event-stream')
    const lastEventId = request.header('last-event-id')
    if (lastEventId !== undefined && heldStreams !== null) {
      heldStreams.resume({ identity: session.identity, sessionId: session.hashedId }, lastEventId, later)
      return null
    }
    let close: (() => void) | null = null
    const stream = openEventStream(() => {
      clearInterval(timer)
      close?.()
    })
    const timer = setInterval(() => stream.keepAlive(), KEEP_ALIVE_MS).unref()
    close = streams.listen(caller, session.hashedId, stream.message, () => {
      clearInterval(timer)
      stream.end()
    })
    if (close !== null) return stream.answer
    clearInterval(timer)
    return refuse(429, 'Too many streams are open')
  }

  return {
    answer(caller, message, request, received, done) {
      if (message.kind === 'request' && message.method === 'initialize')
        return done(initialize(caller, message, received))
      const context = contextOf(caller, request)
      if ('status' in context) return done(context)
      if (message.kind === 'invalid')
        return done(errorAnswer(400, message.id, RPC.invalidRequest, message.reason))
      if (door.relay !== undefined && message.kind === 'request' && message.method !== 'ping') {
        identify(received, context.session)
        const resumable = resumableOf(door.relay, caller, context, received)
        const stream = createRelayStream(request.header('accept'), done, resumable)
        return relayed(door.relay, caller, message, context, received, stream, (text, answer) =>
          stream.end(
            () => text,
            () => answer ?? answerOf(text),
          ),
        )
      }
      const { asking, respond } = askingOf(context.session, message, request, done)
      reply(caller, message, context.session, received, asking, context.version, respond)
    },

    answerBatch(caller, values, request, done) {
      const context = contextOf(caller, request)
      if ('status' in context) return context
      if (context.version !== BATCH_VERSION)
        return errorAnswer(400, undefined, RPC.invalidRequest, 'Batches exist in 2025-03-26 only')
      if (values.length === 0 || values.length > BATCH_MAX)
        return errorAnswer(400, undefined, RPC.invalidRequest, `A batch has 1 to ${BATCH_MAX} messages`)
      const messages = values.map(toClientMessage)
      // 2025-03-26, lifecycle: initialize must not be part of a batch.
      if (messages.some((message) => message.kind === 'request' && message.method === 'initialize'))
        return errorAnswer(400, undefined, RPC.invalidRequest, 'initialize cannot be part of a batch')
      const texts: (string | null)[] = messages.map(() => null)
      let waiting = messages.length
      for (const [index, message] of messages.entries()) {
        const received = toReceived(message, request, index)
        reply(caller, message, context.session, received, null, context.version, (text) => {
          door.answered?.(caller, received)
          texts[index] = text
          waiting--
          if (waiting > 0) return
          const given = texts.filter((item) => item !== null)
          done(given.length === 0 ? emptyAnswer(202) : jsonAnswer(200, `[${given.join(',')}]`))
        })
      }
      return null
    },

    listen(caller, request, received, done) {
      const streams = door.relay?.sessions ?? null
      if (streams === null) return false
      const answer = listened(streams, caller, request, received, done)
      if (answer !== null) done(answer)
      return true
    },

    end(caller, request, received) {
      const id = request.header('mcp-session-id')
      if (id === undefined)
        return errorAnswer(400, undefined, RPC.invalidRequest, 'Mcp-Session-Id is missing')
      const identity = door.identityOf(caller)
      const session = sessions.open(id, identity)
      received.agent = session?.agent ?? UNKNOWN_AGENT
      received.sessionId = session?.hashedId ?? ''
      if (session === null || !sessions.end(id, identity)) return unknownSession()
      questions.endSession(session.hashedId)
      door.relay?.sessions?.ended(session.hashedId)
      return emptyAnswer(204)
    },
  }
}

function refused(
  id: RpcId | undefined,
  code: number,
  reason: string,
  data: Members | undefined,
  received: ReceivedMessage,
): string {
  received.error = code
  return errorText(id, code, reason, data)
}

function identify(received: ReceivedMessage, session: Session | null): void {
  received.agent = session?.agent ?? UNKNOWN_AGENT
  received.sessionId = session?.hashedId ?? ''
}

/** @param stream where messages before the response go; null for a message of a batch */
function relayed<Caller>(
  relay: Relay<Caller>,
  caller: Caller,
  { id, method, params }: Extract<Message, { kind: 'request' }>,
  { session, version }: { readonly session: Session | null; readonly version: string },
  received: ReceivedMessage,
  stream: RelayStream | null,
  done: (text: string | null, answer?: McpAnswer) => void,
): void {
  const { sessions } = relay
  const canAsk = sessions !== null && session !== null && stream?.isAble === true && version !== BATCH_VERSION
  const open = new Set<string>()
  const asked: RelayedRequest = {
    id,
    method,
    params,
    version,
    isModern: false,
    mirrored: null,
    received,
    clientCapabilities: canAsk ? session.askable : {},
    logLevel: session === null || sessions === null ? null : sessions.logLevels.of(session.hashedId),
    readsStreams: stream?.isAble === true,
    notify: (text) => stream?.message(text),
    onLeft: (listener) => {
      if (stream !== null) stream.left = listener
    },
    ask: canAsk
      ? (name, inner, answered) =>
          put(sessions.questions, session, sessions.holderOf(caller), stream, open, name, inner, answered)
      : null,
  }
  relay.answer(caller, asked, (answer) => {
    for (const question of open) sessions?.questions.withdraw(question)
    if (answer.kind === 'none') return done(null)
    if (answer.kind === 'result') {
      const { text, bytes } = answer
      return done(resultText(id, text), bytes && resultAnswer(id, answer))
    }
    received.error = answer.code
    done(errorText(id, answer.code, answer.message, answer.data))
  })
}

/** @param open questions of the call, which end with it */
function put(
  questions: ClientQuestions,
  { identity, hashedId: sessionId }: Session,
  holder: string,
  stream: RelayStream,
  open: Set<string>,
  method: string,
  params: Members,
  done: (answer: ClientAnswer) => void,
): void {
  const id = questions.ask({ identity, sessionId }, holder, (answer) => {
    if (id !== null) open.delete(id)
    done(sentResult(answer))
  })
  if (id === null) {
    done(null)
    return
  }
  open.add(id)
  stream.message(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
}

/** 404 tells the client to start a new session (2025-11-25, transports: session management). */
function unknownSession(): McpAnswer {
  return errorAnswer(404, undefined, RPC.invalidRequest, 'Session not found; send initialize again')
}
