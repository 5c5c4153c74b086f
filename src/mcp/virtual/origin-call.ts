/** One request to an origin on behalf of a caller, until its answer. */
import { PROBLEMS, problemOf, type RefusalCode } from '../../base/refusal.ts'
import { fieldValue } from '../../gateway/header-lines.ts'
import type { GatewayPort, InnerAnswer } from '../../gateway/port.ts'
import type { LocatedEndpoint } from '../../snapshot/find/offered-endpoints.ts'
import type { JoinedVirtualMcp, Member } from '../../snapshot/find/virtual-mcps.ts'
import type { CallHandle } from '../../wire/port.ts'
import { messageId, toRecordAgent } from '../http/account.ts'
import type { Sender } from '../http/caller.ts'
import { callName, type RunningCalls } from '../http/running.ts'
import type { OriginReply, RpcError } from '../origin/answer.ts'
import { type OwnName, originNotification, originRequest, originResponse } from '../origin/envelope.ts'
import { mirroredLines, mirroredParams } from '../origin/mirrored-params.ts'
import { OriginReader } from '../origin/reader.ts'
import type { OriginAnswer, OriginRequest } from '../origin/send.ts'
import { RPC } from '../protocol/answer.ts'
import type { ClientQuestions } from '../protocol/client-questions.ts'
import { isWanted, type LogLevels } from '../protocol/log-levels.ts'
import { isMembers, isRpcId, type Members } from '../protocol/message.ts'
import { LOG_LEVEL } from '../protocol/modern.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay.ts'
import { isModernVersion } from '../protocol/versions.ts'
import { inputFault, isPageUrl } from './input-requests.ts'
import { resultFor, toolErrorText } from './results.ts'
import type { OriginSession, OriginSessions } from './sessions.ts'

/** Bytes of an answer that are read; an origin that sends more is refused. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024
const EMPTY: Members = Object.freeze({})
/** How often an origin may ask the client for more. */
const ROUNDS_MAX = 8
/** Requests of an origin during one call that it gets an answer to: each answer is a request to it. */
const ORIGIN_REQUESTS_MAX = 32
/** The client lacks a capability (2026-07-28, basic: error codes). */
const MISSING_CAPABILITY = -32021
/** A page must be opened first; 2025-11-25 alone has it (client/elicitation). */
const URL_NEEDED = -32042
const URL_NEEDED_VERSION = '2025-11-25'

/** Errors that only make sense between Postern and an origin, or not in every revision. */
const STAYS: ReadonlySet<number> = new Set([
  RPC.headerMismatch,
  RPC.unsupportedVersion,
  MISSING_CAPABILITY,
  URL_NEEDED,
])

export interface OriginCallTools {
  readonly gateway: GatewayPort
  readonly sessions: OriginSessions
  readonly running: RunningCalls
  readonly own: OwnName
  readonly questions: ClientQuestions
  readonly logLevels: LogLevels
  readonly fault: (error: unknown, requestId: string) => void
}

/** What a request is about at its origin. */
export interface Target {
  /** Id of the origin. */
  readonly member: string
  /** Public name or URI, for the record. */
  readonly name: string
  /** As the origin takes them. */
  readonly params: Members
  /** Input schema of a tool: it says which arguments travel in headers. */
  readonly schema?: Members | null
  /** The endpoint that it stands for; null for what an MCP server has. */
  readonly endpoint: LocatedEndpoint | null
}

export class OriginCall {
  readonly #joined: JoinedVirtualMcp
  readonly #tools: OriginCallTools
  readonly #sender: Sender
  readonly #request: RelayedRequest
  readonly #target: Target
  readonly #member: Member
  readonly #done: (answer: RelayedAnswer) => void
  readonly #requestId: string
  #session: OriginSession | null = null
  /** Answers of the client to what the origin has asked, as the next request has them. */
  #answers: Members | null = null
  #round = 0
  #hasRetried = false
  #originRequests = 0

  constructor(
    joined: JoinedVirtualMcp,
    tools: OriginCallTools,
    sender: Sender,
    request: RelayedRequest,
    target: Target,
    done: (answer: RelayedAnswer) => void,
  ) {
    this.#joined = joined
    this.#tools = tools
    this.#sender = sender
    this.#request = request
    this.#target = target
    // The capabilities are those of the members
    this.#member = joined.members.get(target.member)!
    this.#done = done
    this.#requestId = messageId(sender.requestId, request.received.place)
  }

  begin() {
    const { origin } = this.#member
    const { verdict } = origin.fragment
    if (verdict === null || origin.route === null || this.#member.route === null) {
      this.#refuse('upstream_unavailable', 'no probe has reached it yet; see origins test')
      return
    }
    if (isModernVersion(verdict.version)) {
      this.#send(verdict.version)
      return
    }
    const { ask, clientCapabilities } = this.#request
    const session = this.#tools.sessions.of(
      origin,
      this.#sender.caller,
      verdict.version,
      // Requests of the origin come on the stream of the call, and go to a client that takes them there
      ask === null ? EMPTY : clientCapabilities,
      (request) => this.#ask(request),
    )
    if (session instanceof Promise)
      void session.then((opened) => this.#guarded(() => this.#in(opened, verdict.version)))
    else this.#in(session, verdict.version)
  }

  #in(session: OriginSession, version: string): void {
    if ('reason' in session) {
      this.#refuse('upstream_unavailable', session.reason)
      return
    }
    this.#session = session
    this.#send(version)
  }

  #send(version: string): void {
    const { method, received, id } = this.#request
    const { gateway, own, running } = this.#tools
    const { name: publicName } = this.#target
    const params = this.#paramsFor(version)
    const session = this.#session !== null && 'id' in this.#session ? this.#session.id : null
    // Requests of many callers share a session, so that their own ids would meet; each round has an id of its own
    const originId = this.#round === 0 ? this.#requestId : `${this.#requestId}.round-${this.#round}`
    const speaker = { info: { ...own }, capabilities: this.#request.clientCapabilities }
    const request = originRequest(
      version,
      session,
      originId,
      method,
      params,
      speaker,
      this.#mirrored(version, params),
    )
    const agent = toRecordAgent({ ...received, id }, method, publicName, '')
    const bounds = { bytesMax: ANSWER_BYTES_MAX, budget: gateway.budget(this.#sender.incoming, 'answer') }
    const reader = new OriginReader(originId, session !== null, bounds, (message) =>
      this.#guarded(() => this.#heard(message, version)),
    )
    gateway.message(this.#sender.incoming, null)
    received.isAccounted = true
    const name = received.sessionId === '' ? null : callName(received.sessionId, id)
    let isOver = false
    const own_: CallHandle = {
      abort: () => {
        handle.abort()
        this.#done({ kind: 'none' })
      },
    }
    const handle = gateway.call(
      {
        ...this.#base(request),
        agent,
        traceParent: received.trace.parent,
        traceState: received.trace.state,
        until: received.hangUpCancels ? this.#sender.incoming : null,
        reader: {
          head: (status, fields) => reader.head(status, fieldValue(fields, 'content-type') ?? ''),
          piece: (bytes, from, to) => reader.piece(bytes, from, to),
          gaveUp: () => {
            reader.end()
            this.#cancel(originId, version)
          },
        },
        capability: {
          ...this.#place(),
          virtualMcp: this.#joined.virtualMcp.id,
          method,
          name: publicName,
          argumentBytes: bytesOf(params['arguments']),
        },
      },
      (answer) => {
        isOver = true
        if (name !== null) running.end(name, own_)
        this.#guarded(() => {
          const reply = reader.end()
          if (answer.code !== null) this.#refused(answer.code, this.#named(answer.code, answer.body))
          else this.#answered(reply, version)
        })
      },
    )
    if (name !== null && !isOver) running.begin(name, own_)
  }

  #answered(reply: OriginReply, version: string) {
    if (reply.kind === 'session_gone' && !this.#hasRetried) {
      this.#hasRetried = true
      const { origin } = this.#member
      this.#tools.sessions.drop(origin, this.#session!)
      this.#session = null
      return this.begin()
    }
    this.#give(reply, version)
  }

  /** What the origin says before its response. */
  #heard(message: Members, version: string): void {
    const { method, params, id } = message
    if (id !== undefined) {
      this.#answerOrigin(message, version)
      return
    }
    const { notify, logLevel, params: asked } = this.#request
    const given = isMembers(params) ? params : EMPTY
    if (method === 'notifications/progress') {
      const token = progressTokenOf(asked)
      if (token !== undefined && given['progressToken'] === this.#requestId)
        notify(notificationText(method, { ...given, progressToken: token }))
    } else if (method === 'notifications/message' && logLevel !== null && isWanted(given['level'], logLevel))
      notify(notificationText(method, given))
  }

  /** A connection that closes says nothing in earlier revisions (2025-11-25, basic/utilities/cancellation). */
  #cancel(requestId: string, version: string): void {
    if (isModernVersion(version)) return
    const session = this.#session !== null && 'id' in this.#session ? this.#session.id : null
    void this.#ask(originNotification(version, session, 'notifications/cancelled', { requestId }))
  }

  /** A request of an origin of an earlier era: the client answers it where it can be asked. */
  #answerOrigin({ id, method, params }: Members, version: string): void {
    // Requests of origins ended with 2025-11-25
    if (isModernVersion(version) || !isRpcId(id) || ++this.#originRequests > ORIGIN_REQUESTS_MAX) return
    const session = this.#session !== null && 'id' in this.#session ? this.#session.id : null
    const answer = (content: Members): void =>
      void this.#ask(originResponse(version, session, { jsonrpc: '2.0', id, ...content }))
    const { ask, clientCapabilities } = this.#request
    if (method === 'ping') answer({ result: {} })
    else if (ask === null || inputFault({ asked: { method, params } }, clientCapabilities) !== null)
      answer({ error: { code: RPC.methodNotFound, message: 'The client does not take this request' } })
    else
      ask(String(method), isMembers(params) ? params : EMPTY, (result) => {
        if (result !== null) answer({ result })
        else if (method === 'elicitation/create') answer({ result: { action: 'cancel' } })
        else answer({ error: { code: RPC.internalError, message: 'The client has not answered' } })
      })
  }

  /** What is sent to the origin: with the answers of the client so far, and the log level of its session. */
  #paramsFor(version: string): Members {
    const params = this.#answers === null ? this.#target.params : { ...this.#target.params, ...this.#answers }
    const { isModern, logLevel } = this.#request
    const addsLevel = !isModern && logLevel !== null && isModernVersion(version)
    const hasToken = progressTokenOf(params) !== undefined
    if (!addsLevel && !hasToken) return params
    const meta = isMembers(params['_meta']) ? params['_meta'] : EMPTY
    return {
      ...params,
      _meta: {
        ...meta,
        ...(addsLevel ? { [LOG_LEVEL]: logLevel } : {}),
        // Callers that share a session may have chosen the same token
        ...(hasToken ? { progressToken: this.#requestId } : {}),
      },
    }
  }

  /** The origin needs something of the client first (2026-07-28, basic/patterns: multi round-trip requests). */
  #needsInput(result: Members) {
    const { isModern, ask, clientCapabilities } = this.#request
    const fault = inputFault(result['inputRequests'], clientCapabilities)
    if (fault !== null) return this.#refuse('upstream_invalid_response', fault)
    if (isModern) return this.#done({ kind: 'result', text: JSON.stringify(result) })
    const { inputRequests, requestState } = result
    const wanted = isMembers(inputRequests) ? Object.entries(inputRequests) : []
    if (ask === null || this.#round >= ROUNDS_MAX)
      return this.#refuse('upstream_invalid_response', 'it asks the client for more than the client can give')
    const responses: Record<string, unknown> = {}
    let waiting = wanted.length
    const settle = (): void => {
      if (waiting > 0) return
      this.#round++
      this.#answers = {
        inputResponses: responses,
        ...(requestState === undefined ? {} : { requestState }),
      }
      this.#guarded(() => this.begin())
    }
    settle()
    for (const [key, request] of wanted) {
      const { method, params } = isMembers(request) ? request : EMPTY
      ask(String(method), isMembers(params) ? params : EMPTY, (answer) => {
        // What the client did not answer is asked for again, or missed, by the origin
        if (answer !== null) responses[key] = answer
        else if (method === 'elicitation/create') responses[key] = { action: 'cancel' }
        waiting--
        settle()
      })
    }
  }

  #give(reply: OriginReply, version: string) {
    const { method, isModern } = this.#request
    const isModernOrigin = isModernVersion(version)
    switch (reply.kind) {
      case 'result':
        switch (reply.result['resultType'] ?? 'complete') {
          case 'complete':
            break
          case 'input_required':
            if (isModernOrigin) return this.#needsInput(reply.result)
            return this.#refuse(
              'upstream_invalid_response',
              'it asks in a way that its revision does not have',
            )
          default:
            return this.#refuse('upstream_invalid_response', 'its result is of an unknown type')
        }
        return this.#done({
          kind: 'result',
          text: resultFor(method, reply.result, isModernOrigin, isModern, reply.text),
        })
      case 'error':
        return this.#done(this.#errorOf(reply.error, isModernOrigin))
      case 'session_gone':
        return this.#refuse('upstream_unavailable', 'it knows no session that it has just opened')
      case 'none':
        return this.#refuse(
          reply.status === 401 || reply.status === 403
            ? 'credential_unavailable'
            : 'upstream_invalid_response',
          reply.reason,
        )
    }
  }

  /** Errors that only make sense between Postern and the origin stay there. */
  #errorOf({ code, message, data }: RpcError, isModernOrigin: boolean): RelayedAnswer {
    if (code === MISSING_CAPABILITY && this.#request.isModern && isModernOrigin)
      return { kind: 'error', code, message, data, status: 400 }
    const pages = code === URL_NEEDED && !isModernOrigin ? pagesIn(data) : null
    if (pages !== null && this.#request.version === URL_NEEDED_VERSION)
      return { kind: 'error', code, message, data: { elicitations: pages } }
    if (STAYS.has(code))
      return { kind: 'error', code: RPC.internalError, message: `The origin refused the request: ${message}` }
    // Each era has its own code for a resource that is not there
    const own = code === -32002 && this.#request.isModern ? RPC.invalidParams : code
    return { kind: 'error', code: own, message, ...(data === undefined ? {} : { data }) }
  }

  #refuse(code: RefusalCode, reason: string): void {
    this.#account(code, reason)
    const { slug } = this.#member.origin.fragment
    const detail = `The origin "${slug}" did not answer the call: ${reason}.`
    this.#refused(code, problemOf(code, { detail, members: { origin: slug } }, this.#requestId))
  }

  /** The problem object of the stages, which knows of no origins, with the name of the one that has failed. */
  #named(code: RefusalCode, body: Uint8Array): Uint8Array | object {
    if (!code.startsWith('upstream_') && code !== 'credential_unavailable') return body
    const { slug } = this.#member.origin.fragment
    // Written by the stages
    const problem = JSON.parse(Buffer.from(body).toString('utf8')) as Members
    const detail = `The origin "${slug}" did not answer the call: ${String(problem['detail'])}`
    return { ...problem, detail, origin: slug }
  }

  /** A call that did not come as far as the stages has the record of its message. */
  #account(code: RefusalCode, reason: string): void {
    const { received, method, id } = this.#request
    if (received.isAccounted) return
    received.isAccounted = true
    this.#tools.gateway.message(this.#sender.incoming, {
      requestId: this.#requestId,
      code,
      reason,
      agent: toRecordAgent({ ...received, id }, method, this.#target.name, ''),
      origin: this.#member.origin.id,
    })
  }

  /** A refusal that a model reads comes as a result of the tool; other methods have errors alone. */
  #refused(code: RefusalCode, problem: Uint8Array | object): void {
    const text =
      problem instanceof Uint8Array ? Buffer.from(problem).toString('utf8') : JSON.stringify(problem)
    const { method, isModern } = this.#request
    if (method === 'tools/call') {
      this.#done({ kind: 'result', text: toolErrorText(text, isModern) })
      return
    }
    const data: unknown = JSON.parse(text)
    const message =
      isMembers(data) && typeof data['detail'] === 'string' ? data['detail'] : PROBLEMS[code].title
    this.#done({ kind: 'error', code: PROBLEMS[code].status, message, data })
  }

  #mirrored(version: string, { arguments: given }: Members): string {
    const { schema } = this.#target
    if (schema == null || !isModernVersion(version)) return ''
    return mirroredLines(mirroredParams(schema), isMembers(given) ? given : EMPTY)
  }

  /** What Postern itself asks the origin in the name of the caller. */
  #ask(request: OriginRequest): Promise<OriginAnswer> {
    return new Promise((resolve) => {
      this.#tools.gateway.call(
        {
          ...this.#base(request),
          agent: toRecordAgent({ ...this.#request.received, id: this.#request.id }, '', '', ''),
          until: null,
          capability: { ...this.#place(), virtualMcp: '', method: '', name: '', argumentBytes: 0 },
        },
        (answer) => resolve(toOriginAnswer(answer)),
      )
    })
  }

  #place() {
    const { origin, route } = this.#member
    const { path, query } = origin
    return { origin, route: route!, path, query }
  }

  #base({ method, fields, body }: OriginRequest) {
    return {
      caller: this.#sender.caller,
      requestId: this.#requestId,
      method,
      host: '',
      target: `/mcp/${this.#joined.virtualMcp.fragment.slug}`,
      fields: '',
      ownFields: fields,
      body: body === null ? null : Buffer.from(body),
      keepBytesMax: ANSWER_BYTES_MAX,
    }
  }

  /** Called from events of sockets: a throw there would end the thread. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#tools.fault(error, this.#requestId)
      this.#done({ kind: 'error', code: RPC.internalError, message: 'Internal error' })
    }
  }
}

function progressTokenOf({ _meta }: Members): unknown {
  return isMembers(_meta) ? _meta['progressToken'] : undefined
}

/** A notification without what the origin may have added to it. */
function notificationText(method: string, params: Members): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params })
}

/** The pages that a client is asked to open; null when one of them is none. */
function pagesIn(data: unknown): readonly Members[] | null {
  const given: unknown = isMembers(data) ? data['elicitations'] : null
  if (!Array.isArray(given)) return null
  const pages = (given as readonly unknown[]).filter(isMembers)
  return pages.length === given.length && pages.every(({ url }) => isPageUrl(url)) ? pages : null
}

/** The answer of the stages as the client of an origin reads it. */
export function toOriginAnswer({ code, body, status, fields, truncated }: InnerAnswer): OriginAnswer {
  if (code !== null) return { ok: false, reason: detailOf(body) }
  return { ok: true, status, header: (name) => fieldValue(fields, name), body, truncated }
}

/** As JSON, in UTF-8. */
export function bytesOf(given: unknown): number {
  return given === undefined ? 0 : Buffer.byteLength(JSON.stringify(given))
}

function detailOf(body: Uint8Array): string {
  const problem: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
  return isMembers(problem) ? String(problem['detail'] ?? problem['title']) : ''
}
