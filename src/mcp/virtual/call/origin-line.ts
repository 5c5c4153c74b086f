/**
 * The transport of one call to its origin: the session that an origin of an earlier era needs, the requests of the call, and what Postern
 * itself sends meanwhile. It does not interpret requests and responses.
 */

import type { Clock } from '../../../base/clock.ts'
import type { ByteBudget } from '../../../base/memory/bytes.ts'
import type { RefusalCode } from '../../../base/refusal.ts'
import type { Connection } from '../../../gateway/forward/connections.ts'
import type { AnswerPieces, CallGuard, InnerCall, InnerCallHandle } from '../../../gateway/port.ts'
import type { OriginGateway } from '../../../gateway/workflow/tool-port.ts'
import type { JoinedVirtualMcp, Member } from '../../../snapshot/find/virtual-mcps.ts'
import { type Sender, toRecordAgent } from '../../http/message.ts'
import { type OriginReply, readReply } from '../../origin/answer.ts'
import {
  type OriginAnswer,
  type OriginPlace,
  type OriginRequest,
  type OwnName,
  originNotification,
  originRequest,
  originResponse,
  type ReadFromOrigin,
  sessionStream,
} from '../../origin/envelope.ts'
import { OriginReader } from '../../origin/reader.ts'
import { isModernVersion, type Members } from '../../protocol/message.ts'
import type { RelayedRequest } from '../../protocol/relay-port.ts'
import {
  MOST_VERBOSE,
  type NoSession,
  type OriginSession,
  type OriginSessions,
  takesLevels,
  withLogs,
} from '../sessions/sessions.ts'
import type { SseSessions, TakenStream } from '../sessions/sse-sessions.ts'
import type { StandaloneStreams } from '../sessions/standalone-streams.ts'
import { readingStream, sseTools, toOriginAnswer } from '../streams/watch-tools.ts'
import { readOverStreams } from './answer-streams.ts'
import { verdictOf } from './origin-error.ts'

/** Of an answer that only says that a request was taken. */
const TAKEN_BYTES_MAX = 64 * 1024
/** Bytes of an answer that are read; an origin that sends more is refused. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

export interface OriginLineTools {
  readonly gateway: OriginGateway
  readonly sessions: OriginSessions
  readonly standaloneStreams: StandaloneStreams
  readonly streams: SseSessions
  readonly own: OwnName
  readonly clock: Clock
}

/** The call that has a line. */
export interface CallOnLine {
  readonly joined: JoinedVirtualMcp
  readonly member: Member
  readonly sender: Sender
  readonly request: RelayedRequest
  /** Public name or URI, for the record. */
  readonly publicName: string
  /** Of the message, for the record. */
  readonly requestId: string
  /** Where the bytes of the answer are counted; null counts them until the HTTP request is over. */
  readonly memory: ByteBudget | null
  /** Null where no guardrail applies. */
  readonly guard: CallGuard | null
}

/** One request of a call. */
export interface LineRequest {
  /** Id towards the origin. */
  readonly id: string
  readonly params: Members
  /** Header lines of arguments, see mirrored-params. */
  readonly mirrored: string
}

export interface LineEvents {
  /** Gets notifications and requests of the origin, in their order. */
  heard(message: Members): void
  /** The call was given up on its way: nothing more comes but `ended`. */
  gaveUp(): void
  /** Told once: the reply, or the refusal of the stages with its problem object. */
  ended(came: OriginReply | LineRefusal): void
}

interface LineRefusal {
  readonly kind: 'refused'
  readonly code: RefusalCode
  readonly body: Uint8Array
}

/** How the answer of a call is read. */
interface LineAnswer {
  readonly pieces: Pick<AnswerPieces, 'head' | 'piece' | 'elsewhere'>
  /** What it came to. */
  reply(): OriginReply
  responseBytes(): number
  /** The call is over, and was not given up. */
  over(): void
  gaveUp(): void
}

export class OriginLine {
  /** Revision that the origin speaks. */
  readonly version: string
  readonly #tools: OriginLineTools
  readonly #call: CallOnLine
  #session: OriginSession | null = null
  #inquiries = 0
  /** Hears what the origin says outside of the request. */
  #heard: ((message: Members) => void) | null = null
  #leaveStream = (): void => {}
  /** At an origin of HTTP+SSE. */
  #stream: TakenStream | null = null
  /** What was said beside the call, until it was taken. */
  #said: Promise<unknown> | null = null

  constructor(tools: OriginLineTools, call: CallOnLine, version: string) {
    this.#tools = tools
    this.#call = call
    this.version = version
  }

  /**
   * Gets the session in which requests go, at once for origins that need none.
   * @param capabilities what the origin may ask the client
   * @param ready gets null, or why there is no session
   */
  open(capabilities: Members, ready: (fault: NoSession | null) => void): void {
    if (isModernVersion(this.version)) {
      ready(null)
      return
    }
    const { member, sender } = this.#call
    if (member.origin.fragment.connection === undefined) {
      this.#openSession(capabilities, '', ready)
      return
    }
    const known = (account: Connection): void => {
      if (account.ok) this.#openSession(capabilities, account.connection, ready)
      else ready({ reason: account.reason, connection: account })
    }
    const account = this.#tools.gateway.connectionOf(sender.caller, member.origin)
    if (account instanceof Promise) void account.then(known)
    else known(account)
  }

  /** @param connection id of the account at the origin; empty for an origin without accounts */
  #openSession(capabilities: Members, connection: string, ready: (fault: NoSession | null) => void): void {
    if (this.#call.member.origin.fragment.verdict?.transport === 'http_sse') {
      this.#openStream(capabilities, connection, ready)
      return
    }
    const taken = (session: OriginSession | NoSession): void => {
      if ('reason' in session) {
        ready(session)
        return
      }
      this.#session = session
      const { logLevel } = this.#call.request
      const joined = (): void => {
        if (this.#needsStream(session, capabilities)) this.#join(session, () => ready(null))
        else ready(null)
      }
      if (logLevel === null || !takesLevels(this.#call.member.origin)) joined()
      else void withLogs(session, () => this.#setLevel()).then(joined)
    }
    const session = this.#tools.sessions.of(
      this.#call.member.origin,
      this.#call.sender.caller,
      this.#call.request.received.sessionId,
      this.version,
      capabilities,
      connection,
      (request) => this.#ask(request),
    )
    if (session instanceof Promise) void session.then(taken)
    else taken(session)
  }

  /** Requests go in this session, in the place of {@link open}: it has what they are about. */
  use(sessionId: string | null): void {
    this.#session = this.#tools.sessions.find(this.#call.member.origin, sessionId)
  }

  /** What belongs to no request is for a client that can be asked, or wants logs; in a shared session it is for nobody. */
  #needsStream({ id }: OriginSession, capabilities: Members): boolean {
    const { member, request } = this.#call
    if (id === null || member.origin.fragment.shares_sessions === true) return false
    if (Object.keys(capabilities).length > 0 || request.logLevel !== null) return true
    return !request.isModern && takesLevels(member.origin)
  }

  #join(session: OriginSession, ready: () => void): void {
    this.#leaveStream()
    const { member, sender } = this.#call
    const place = { session, origin: member.origin, caller: sender.caller, version: this.version }
    this.#leaveStream = this.#tools.standaloneStreams.join(place, (message) => this.#heard?.(message), ready)
  }

  #openStream(capabilities: Members, connection: string, ready: (fault: NoSession | null) => void): void {
    const { member, sender } = this.#call
    const { fragment } = member.origin
    void this.#tools.streams
      .take(
        member.origin,
        sender.caller,
        this.#call.request.received.sessionId,
        this.version,
        capabilities,
        connection,
        sseTools(fragment, this.#read),
        (request) => this.#ask(request),
      )
      .then((taken) => {
        if ('reason' in taken) {
          ready(taken)
          return
        }
        this.#stream = taken
        ready(null)
      })
  }

  /** The origin has begun a task in the session. @param ttlMs how long it keeps the task; null for no end */
  taskBegan(task: string, ttlMs: number | null): void {
    this.#session?.taskBegan(task, ttlMs)
  }

  /** A task of the session has ended. */
  taskEnded(task: string): void {
    if (this.sessionId !== null)
      this.#tools.sessions.taskEnded(this.#call.member.origin, this.sessionId, task)
  }

  /** The origin knows the session no longer: {@link open} gets another one. */
  forget(): void {
    this.#stream = null
    if (this.#session === null) return
    this.#leaveStream()
    this.#tools.sessions.drop(this.#session)
    this.#session = null
  }

  /** Gives back what {@link open} took, where no request follows. */
  leave(): void {
    this.#leaveStream()
    this.#stream?.giveBack(true)
  }

  /** Sends the request of the call. It passes the stages as any request does, and its record is that of the message. */
  request({ id, params, mirrored }: LineRequest, events: LineEvents): InnerCallHandle {
    const { request, publicName, joined, sender, memory } = this.#call
    const { method, received, clientCapabilities } = request
    const { gateway, own } = this.#tools
    const session = this.sessionId
    const speaker = { info: { ...own }, capabilities: clientCapabilities }
    const sent = originRequest(this.version, session, id, method, params, speaker, mirrored)
    // A client of an earlier era may leave, and come back for the answer
    const kept = memory === null && !received.hangUpCancels ? gateway.reserve(sender.caller) : null
    const budget = memory ?? kept ?? gateway.budget(sender.incoming, 'answer')
    const bounds = { bytesMax: ANSWER_BYTES_MAX, budget }
    gateway.message(sender.incoming, null)
    received.isAccounted = true
    const first: InnerCall = {
      ...this.#base(sent),
      agent: toRecordAgent(received, method, publicName, ''),
      traceParent: received.trace.parent,
      traceState: received.trace.state,
      until: received.hangUpCancels ? sender.incoming : null,
      capability: {
        ...this.#place(),
        virtualMcp: joined.virtualMcp.id,
        method,
        name: publicName,
        argumentBytes: bytesOf(params['arguments']),
        guard: this.#call.guard,
      },
    }
    const judge = (reply: OriginReply, bytes: number) => verdictOf(method, reply, bytes)
    if (this.#stream !== null) {
      const answer = this.#streamedAnswer(this.#stream, id, budget, events.heard)
      return gateway.call(
        {
          ...first,
          reader: {
            ...answer.pieces,
            judge: () => judge(answer.reply(), answer.responseBytes()),
            gaveUp() {
              events.gaveUp()
              answer.gaveUp()
              kept?.release()
            },
          },
        },
        ({ code, body }) => {
          const reply = answer.reply()
          answer.over()
          events.ended(code === null ? reply : { kind: 'refused', code, body })
          kept?.release()
        },
      )
    }
    const unhold = this.#session?.hold() ?? (() => {})
    const release = (): void => {
      unhold()
      this.#leaveStream()
      this.#heard = null
    }
    this.#heard = events.heard
    const told: LineEvents = {
      heard: events.heard,
      gaveUp() {
        events.gaveUp()
        release()
        kept?.release()
      },
      ended(came) {
        events.ended(came)
        release()
        kept?.release()
      },
    }
    const { agent } = first
    const next = (lastId: string): InnerCall => ({
      ...this.#base(sessionStream(this.version, session, lastId)),
      agent: { ...agent, mcpMethod: '', tool: '' },
      until: first.until,
      capability: { ...this.#place(), virtualMcp: '', method: '', name: '', argumentBytes: 0 },
    })
    const read = (hasSession: boolean) => new OriginReader(id, hasSession, bounds, told.heard)
    const parts = { first, next: session === null ? null : next, read, judge, totalMs: this.#totalMs() }
    return readOverStreams({ gateway, clock: this.#tools.clock }, parts, told)
  }

  #totalMs(): number {
    return this.#call.member.origin.fragment.total_ms
  }

  /** What comes on the stream of the session, while the answer to the request says that it was taken. */
  #streamedAnswer(
    { session, giveBack }: TakenStream,
    id: string,
    budget: ByteBudget,
    heard: (message: Members) => void,
  ): LineAnswer {
    let status: number | null = null
    let taken = 0
    let came: OriginReply | null = null
    let bytes = 0
    let tell: (() => void) | null = null
    const none = (reason: string): OriginReply => ({ kind: 'none', status, reason })
    const settle = (reply: OriginReply): void => {
      came ??= reply
      tell?.()
    }
    const reply = (): OriginReply => {
      // A stream that broke while it waited is noticed by its server first
      if (status === 404) return { kind: 'session_gone' }
      if (came !== null) return came
      return none(status === null ? 'no response came' : `it answered ${status} to the request`)
    }
    const stop = session.listen(
      {
        id,
        heard,
        replied(reply, length) {
          bytes = length
          settle(reply)
        },
        broke: (reason) => settle(none(reason)),
      },
      budget,
    )
    if (session.isOver) came = none('its stream has ended')
    return {
      pieces: {
        head: (given) => {
          status = given
        },
        piece: (_bytes, from, to) => {
          taken += to - from
          if (taken > TAKEN_BYTES_MAX) came ??= none('it answers a message with more than an acknowledgement')
          return taken <= TAKEN_BYTES_MAX
        },
        elsewhere(given, over) {
          if (given < 200 || given > 299) return false
          tell = over
          if (came !== null) over()
          return true
        },
      },
      reply,
      responseBytes: () => bytes,
      over: () => {
        stop()
        giveBack(came !== null && came.kind !== 'none')
      },
      gaveUp: () => {
        stop()
        // The stream must stand until the server has heard of it
        void Promise.resolve(this.#said).then(() => giveBack(false))
      },
    }
  }

  /** Says something to an origin of an earlier era. Resolves when that has reached it or cannot. */
  async notify(method: string, params: Members): Promise<void> {
    const said = this.#ask(originNotification(this.version, this.sessionId, method, params))
    this.#said = said
    await said
  }

  /** Answers a request of an origin of an earlier era. @param response as JSON-RPC has it */
  respond(response: Members): void {
    void this.#ask(originResponse(this.version, this.sessionId, response))
  }

  #setLevel(): Promise<OriginAnswer> {
    const speaker = { info: { ...this.#tools.own }, capabilities: {} }
    const method = 'logging/setLevel'
    const id = `${this.#call.requestId}.level`
    const params = { level: MOST_VERBOSE }
    return this.#ask(originRequest(this.version, this.sessionId, id, method, params, speaker))
  }

  /**
   * Asks what Postern itself wants to know, beside the request of the call: it has no record, and no limit counts it.
   * @param capabilities what the origin is told that the client can
   */
  async inquire(method: string, params: Members, capabilities: Members): Promise<OriginReply> {
    const session = this.sessionId
    const id = `${this.#call.requestId}.own-${++this.#inquiries}`
    const speaker = { info: { ...this.#tools.own }, capabilities }
    const answer = await this.#ask(originRequest(this.version, session, id, method, params, speaker))
    return readReply(answer, id, session !== null)
  }

  /** Of an origin of an earlier era, once it is open; null where there is none. */
  get sessionId(): string | null {
    return this.#session === null ? null : this.#session.id
  }

  /** What Postern itself asks the origin in the name of the caller. */
  #ask(request: OriginRequest): Promise<OriginAnswer> {
    return new Promise((resolve) => {
      const { received } = this.#call.request
      this.#tools.gateway.call(
        {
          ...this.#base(request),
          agent: toRecordAgent(received, '', '', ''),
          until: null,
          capability: { ...this.#place(request.at), virtualMcp: '', method: '', name: '', argumentBytes: 0 },
        },
        (answer) => resolve(toOriginAnswer(answer)),
      )
    })
  }

  /** Reads a stream in the name of the caller. */
  #read: ReadFromOrigin = (request, reader) => {
    const { member, request: asked } = this.#call
    const { pieces, done } = readingStream(member.origin.fragment, reader)
    return this.#tools.gateway.call(
      {
        ...this.#base(request),
        agent: toRecordAgent(asked.received, '', '', ''),
        until: null,
        reader: pieces,
        capability: { ...this.#place(), virtualMcp: '', method: '', name: '', argumentBytes: 0 },
      },
      done,
    )
  }

  /** Where a request goes: to the URL of the origin, or to where it wants the requests of a session. */
  #place(at: OriginPlace | undefined = this.#stream?.session.at) {
    const { origin, route } = this.#call.member
    const { path, query } = at ?? origin
    return { origin, route: route!, path, query }
  }

  #base({ method, fields, body }: OriginRequest) {
    const { sender, requestId, joined } = this.#call
    return {
      caller: sender.caller,
      requestId,
      method,
      host: '',
      target: `/mcp/${joined.virtualMcp.fragment.slug}`,
      fields: '',
      ownFields: fields,
      body: body === null ? null : Buffer.from(body),
      keepBytesMax: ANSWER_BYTES_MAX,
    }
  }
}

/** As JSON, in UTF-8. */
export function bytesOf(given: unknown): number {
  return given === undefined ? 0 : Buffer.byteLength(JSON.stringify(given))
}

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
export const NO_TASK: Handling = { kind: 'refused', reason: 'its response names no task' }

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
