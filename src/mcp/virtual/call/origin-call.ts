/** One request to an origin on behalf of a caller, from sending to its answer. */
import { randomUUID } from 'node:crypto'
import { withDigits, withoutDigits } from '../../../base/json/exact.ts'
import { PROBLEMS, problemOf, type RefusalCode } from '../../../base/refusal.ts'
import { connectionFacts } from '../../../gateway/forward/connected.ts'
import type { Connection, NotConnected } from '../../../gateway/forward/connections.ts'
import type { LocatedEndpoint } from '../../../snapshot/find/offered-endpoints.ts'
import type { JoinedVirtualMcp, Member } from '../../../snapshot/find/virtual-mcps.ts'
import type { CallHandle } from '../../../wire/port.ts'
import { callName, type RunningCalls, type Sender, toRecordAgent } from '../../http/message.ts'
import { INTERNAL, toolAnswer } from '../../http/relay.ts'
import type { OriginReply, ResultReply, RpcError } from '../../origin/answer.ts'
import { mirroredLines } from '../../origin/envelope.ts'
import { RPC } from '../../protocol/answer.ts'
import { isMembers, isModernVersion, type Members, rpcIdIn, writableId } from '../../protocol/message.ts'
import { LOG_LEVEL } from '../../protocol/modern.ts'
import { isWanted, type RelayedAnswer, type RelayedRequest } from '../../protocol/relay-port.ts'
import { askableOf } from '../../protocol/relayed-requests.ts'
import { inputFault, offers, requiredBy } from '../input/input-requests.ts'
import { type ParkedCall, ROUNDS_MAX } from '../input/parked-call.ts'
import { type Parking, tokenOf } from '../input/parking.ts'
import { levelFor, type NoSession } from '../sessions/sessions.ts'
import type { ArgumentHeaders } from './argument-headers.ts'
import type { MessageGuard } from './message-guard.ts'
import {
  answerUndeclared,
  connectPage,
  errorFor,
  failureText,
  pagesIn,
  type Retried,
  type RunnerFailure,
  refusalFor,
  runnerFailureIn,
  URL_NEEDED,
  URL_NEEDED_VERSION,
  undeclaredIn,
} from './origin-error.ts'
import { OriginLine, type OriginLineTools, PASSED, type TaskTerms } from './origin-line.ts'
import {
  fitResult,
  NO_COMPLETION,
  notificationText,
  passedResult,
  resultFor,
  withPublicUris,
} from './results.ts'

const EMPTY: Members = Object.freeze({})
/** Requests of an origin during one call that it gets an answer to: each answer is a request to it. */
const ORIGIN_REQUESTS_MAX = 32
const COMPLETE = 'completion/complete'
const PAGE_DONE = 'notifications/elicitation/complete'

export interface OriginCallTools extends OriginLineTools {
  readonly running: RunningCalls
  readonly argumentHeaders: ArgumentHeaders
  readonly parking: Pick<Parking, 'connectFirst'>
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
  /** Output schema of a tool, as callers are shown it; absent without. */
  readonly outputSchema?: unknown
  /** The endpoint that it stands for; null for what an MCP server has. */
  readonly endpoint: LocatedEndpoint | null
  /** What a tool says of tasks; absent for anything else. */
  readonly taskSupport?: 'required' | 'optional' | null
  /** As callers are shown them; absent for anything but a tool. */
  readonly annotations?: Members | null
  readonly task?: TaskTerms
  /** Null where no guardrail applies. */
  readonly guard?: MessageGuard | null
  /** Of a retry whose call is made again. */
  readonly retried?: Retried
}

export class OriginCall {
  readonly #joined: JoinedVirtualMcp
  readonly #tools: OriginCallTools
  readonly #sender: Sender
  readonly #request: RelayedRequest
  readonly #target: Target
  readonly #member: Member
  readonly #done: (answer: RelayedAnswer, code?: RefusalCode) => void
  /** Of a client that is asked by `input_required`, at an origin of an earlier era; else null. */
  readonly #parked: ParkedCall | null
  readonly #ask: RelayedRequest['ask']
  /** What the origin asked for and the client has not declared. */
  #missing: Members | null = null
  /** Ids of the pages that a client of an earlier revision was sent to. */
  readonly #pages: string[] = []
  readonly #requestId: string
  #line: OriginLine | null = null
  /** Answers of the client to what the origin has asked, as the next request has them. */
  #answers: Members | null = null
  #round = 0
  #hasRetried = false
  /** The origin has said something of the call: it runs, or has run. */
  #hasBegun = false
  /** Headers of arguments, as they were sent. */
  #mirroredLines = ''
  #originRequests = 0
  /** What gives up the request that is under way. */
  #handle: CallHandle | null = null
  #isGivenUp = false

  constructor(
    joined: JoinedVirtualMcp,
    tools: OriginCallTools,
    sender: Sender,
    request: RelayedRequest,
    target: Target,
    done: (answer: RelayedAnswer, code?: RefusalCode) => void,
    parked: ParkedCall | null = null,
  ) {
    this.#joined = joined
    this.#tools = tools
    this.#sender = sender
    this.#request = request
    this.#target = target
    // The capabilities are those of the members
    this.#member = joined.members.get(target.member)!
    this.#done = parked === null ? done : (answer, code) => parked.answered({ answer, code: code ?? null })
    this.#parked = parked
    this.#ask = parked === null ? request.ask : parked.ask.bind(parked)
    this.#requestId = sender.requestId
  }

  begin() {
    const { origin } = this.#member
    const { verdict } = origin.fragment
    if (verdict === null || origin.route === null || this.#member.route === null) {
      this.#refuse('upstream_unavailable', 'no probe has reached it yet; see origins test')
      return
    }
    this.#line ??= new OriginLine(
      this.#tools,
      {
        joined: this.#joined,
        member: this.#member,
        sender: this.#sender,
        request: this.#request,
        publicName: this.#target.name,
        requestId: this.#requestId,
        memory: this.#parked?.memory ?? null,
        guard: this.#target.guard ?? null,
      },
      verdict.version,
    )
    const line = this.#line
    const { clientCapabilities } = this.#request
    const pinned = this.#target.task?.session
    if (pinned !== undefined) {
      line.use(pinned)
      this.#guarded(() => this.#send(line))
      return
    }
    // Requests of the origin come on the stream of the call
    line.open(this.#ask === null ? EMPTY : askableOf(clientCapabilities), (fault) =>
      this.#guarded(() => (fault === null ? this.#send(line) : this.#unopened(fault))),
    )
  }

  /** Gives the call up, and tells the origin. It is answered no more. */
  abort(): void {
    this.#isGivenUp = true
    this.#handle?.abort()
  }

  #unopened({ reason, error, connection }: NoSession): void {
    const failure = error === undefined ? null : this.#runnerFailure(error, false)
    if (connection !== undefined) this.#unconnected(connection)
    else if (failure !== null) this.#refuse(failure.code, failure.reason, failure.members)
    else if (this.#member.origin.fragment.connection === undefined)
      this.#refuse('upstream_unavailable', reason)
    else void this.#account().then((account) => this.#guarded(() => this.#unopenedWith(account, reason)))
  }

  /** The origin may have refused the account while the session was being opened, here or in another thread. */
  #unopenedWith(account: Connection, reason: string): void {
    if (account.ok) this.#refuse('upstream_unavailable', reason)
    else this.#unconnected(account)
  }

  async #account(): Promise<Connection> {
    return this.#tools.gateway.connectionOf(this.#sender.caller, this.#member.origin)
  }

  /** The call did not come as far as the stages, which refuse it otherwise. */
  #unconnected(connection: NotConnected): void {
    const { code, reason } = connection
    this.#accountFor(code, reason)
    const facts = connectionFacts(this.#member.origin.fragment.slug, connection)
    const problem = problemOf(code, facts, this.#requestId)
    this.#refused(code, this.#named(code, Buffer.from(JSON.stringify(problem))))
  }

  #send(line: OriginLine): void {
    if (this.#isGivenUp) {
      line.leave()
      return
    }
    const { received, id } = this.#request
    const { running } = this.#tools
    const { task } = this.#target
    const params = this.#paramsFor(line.version)
    // Requests of many callers share a session, so that their own ids would meet; each round has an id of its own
    const originId = this.#round === 0 ? this.#requestId : `${this.#requestId}.round-${this.#round}`
    const name = received.sessionId === '' ? null : callName(received.sessionId, id)
    this.#mirroredLines = this.#mirrored(line.version, params)
    // Headers have doubles, and a server compares them with the body
    const sent = this.#mirroredLines === '' ? params : withoutDigits(params)
    let isOver = false
    let told: Promise<unknown> | null = null
    const own: CallHandle = {
      abort: () => {
        handle.abort()
        this.#done({ kind: 'none' })
      },
    }
    const handle = line.request(
      { id: originId, params: sent, mirrored: this.#mirroredLines },
      {
        heard: (message) => this.#guarded(() => this.#heard(message, line)),
        // A connection that closes says nothing in earlier revisions (2025-11-25, basic/utilities/cancellation)
        gaveUp: () => {
          if (!isModernVersion(line.version))
            told = line.notify('notifications/cancelled', { requestId: originId })
          this.#parked?.gone()
          task?.gaveUp?.(line)
        },
        ended: (came) => {
          isOver = true
          this.#handle = null
          if (name !== null) running.end(name, own)
          this.#guarded(() => {
            if (came.kind === 'refused') this.#refused(came.code, this.#named(came.code, came.body))
            else this.#answered(came, line)
          })
        },
      },
    )
    if (isOver) return
    this.#handle = own
    if (name !== null) running.begin(name, own)
    this.#parked?.carriedBy({
      park: (code) => handle.park(code),
      async cancel() {
        handle.abort()
        await told
      },
    })
  }

  #answered(reply: OriginReply, line: OriginLine) {
    const { task } = this.#target
    if (reply.kind === 'session_gone' && !this.#hasRetried && task?.session === undefined) {
      this.#hasRetried = true
      line.forget()
      return this.begin()
    }
    if (this.#isRefusedForHeaders(reply, line)) return this.#mirrorAnew(reply, line)
    const handling = task?.replied?.(reply, line) ?? PASSED
    if (handling.kind === 'refused') this.#refuse('upstream_invalid_response', handling.reason)
    else if (handling.kind === 'passed') this.#give(reply, line.version)
  }

  /** A server compares headers with the body before it runs a call (2026-07-28, basic/transports: server validation). */
  #isRefusedForHeaders(reply: OriginReply, { version }: OriginLine): boolean {
    if (reply.kind !== 'error' || reply.error.code !== RPC.headerMismatch || reply.status !== 400)
      return false
    return isModernVersion(version) && this.#target.schema != null && !this.#hasRetried && !this.#hasBegun
  }

  /** Sends the call once more where the origin wants other arguments in headers than it did. */
  #mirrorAnew(reply: OriginReply, line: OriginLine): void {
    this.#hasRetried = true
    const { schema, params } = this.#target
    const { argumentHeaders } = this.#tools
    const list = (page: Members): Promise<OriginReply> => line.inquire('tools/list', page, EMPTY)
    void argumentHeaders.renew(this.#member.origin, String(params['name']), schema!, list).then(() =>
      this.#guarded(() => {
        if (this.#mirrored(line.version, params) !== this.#mirroredLines) this.#send(line)
        else this.#answered(reply, line)
      }),
    )
  }

  /** What the origin says before its response. */
  #heard(message: Members, line: OriginLine): void {
    const { method, params, id } = message
    this.#hasBegun = true
    if (id !== undefined) {
      this.#answerOrigin(message, line)
      return
    }
    const listener = this.#parked === null ? this.#request : this.#parked.turn
    if (listener === null) return
    const { notify, logLevel } = listener
    const least = this.#request.isModern ? logLevel : levelFor(this.#member.origin, logLevel)
    const given = isMembers(params) ? params : EMPTY
    if (method === 'notifications/progress') {
      const token = 'progressToken' in listener ? listener.progressToken : tokenOf(listener.params)
      const own = this.#target.task?.progressToken ?? this.#requestId
      if (token != null && given['progressToken'] === own)
        notify(notificationText(method, { ...given, progressToken: token }))
    } else if (method === 'notifications/message' && least !== null && isWanted(given['level'], least))
      notify(notificationText(method, given))
    else if (method === PAGE_DONE && this.#request.version === URL_NEEDED_VERSION)
      notify(notificationText(method, { elicitationId: given['elicitationId'] }))
  }

  /** A request of an origin of an earlier era: the client answers it where it can be asked. */
  #answerOrigin(message: Members, line: OriginLine): void {
    const { method, params } = message
    const id = rpcIdIn(message, 'id')
    // Requests of origins ended with 2025-11-25
    if (isModernVersion(line.version) || id === undefined || ++this.#originRequests > ORIGIN_REQUESTS_MAX)
      return
    const answer = (content: Members): void =>
      line.respond({ jsonrpc: '2.0', id: writableId(id), ...content })
    const ask = this.#ask
    const asked = { method, params }
    if (method === 'ping') answer({ result: {} })
    else if (ask === null || inputFault({ asked }, this.#request.clientCapabilities) !== null) {
      if (ask !== null) this.#missing = { ...this.#missing, ...requiredBy(asked) }
      answer({ error: { code: RPC.methodNotFound, message: 'The client does not support this request' } })
    } else
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
    const hasToken = tokenOf(params) !== undefined
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
    const { isModern, clientCapabilities } = this.#request
    const ask = this.#ask
    const fault = inputFault(result['inputRequests'], clientCapabilities)
    if (fault !== null) return this.#refuse('upstream_invalid_response', fault)
    if (isModern) return this.#done({ kind: 'result', text: JSON.stringify(withDigits(result)) })
    const { inputRequests, requestState } = result
    const wanted = isMembers(inputRequests) ? Object.entries(inputRequests) : []
    if (ask === null || this.#round >= ROUNDS_MAX)
      return this.#refuse('upstream_invalid_response', 'it asks the client for more than the client can give')
    const responses = new Map<string, unknown>()
    let waiting = wanted.length
    const settle = (): void => {
      if (waiting > 0) return
      this.#round++
      this.#answers = {
        inputResponses: Object.fromEntries(responses),
        ...(requestState === undefined ? {} : { requestState }),
      }
      this.#guarded(() => this.begin())
    }
    settle()
    for (const [key, request] of wanted) {
      const { method, params } = isMembers(request) ? request : EMPTY
      ask(String(method), isMembers(params) ? this.#toLegacy(params) : EMPTY, (answer) => {
        // What the client did not answer is asked for again, or missed, by the origin
        if (answer !== null) responses.set(key, answer)
        else if (method === 'elicitation/create') responses.set(key, { action: 'cancel' })
        waiting--
        settle()
      })
    }
  }

  /** A page that a client of 2025-11-25 is sent to has an id, by which it hears that it is done with (client/elicitation). */
  #toLegacy(params: Members): Members {
    if (params['mode'] !== 'url') return params
    const elicitationId = randomUUID()
    this.#pages.push(elicitationId)
    return { ...params, elicitationId }
  }

  #give(reply: OriginReply, version: string) {
    const { notify } = this.#request
    const isModernOrigin = isModernVersion(version)
    switch (reply.kind) {
      case 'result':
        if (reply.plain === null && !this.#isComplete(reply.result, isModernOrigin)) return
        for (const elicitationId of this.#pages) notify(notificationText(PAGE_DONE, { elicitationId }))
        return this.#giveResult(reply, isModernOrigin)
      case 'error':
        return this.#failed(reply.error, isModernOrigin)
      case 'session_gone':
        return this.#refuse('upstream_unavailable', 'it does not know the session that it has just opened')
      case 'none':
        return this.#refuse(refusalFor(reply), reply.reason)
    }
  }

  /** True for a result that its caller gets; for any other the call goes on, or is answered. */
  #isComplete(result: Members, isModernOrigin: boolean): boolean {
    switch (result['resultType'] ?? 'complete') {
      case 'complete':
        return result['isError'] !== true || !this.#isForWant(failureText(result), isModernOrigin)
      case 'input_required':
        if (isModernOrigin) this.#needsInput(result)
        else this.#refuse('upstream_invalid_response', 'its revision cannot ask the client in this way')
        return false
      default:
        this.#refuse('upstream_invalid_response', 'its result is of an unknown type')
        return false
    }
  }

  /** True when a call has failed because the client could not be asked for what its origin wanted; then it is answered. */
  #isForWant(text: string | null, isModernOrigin: boolean): boolean {
    const { isModern, clientCapabilities } = this.#request
    if (!isModern || isModernOrigin) return false
    const missing = this.#missing ?? undeclaredIn(text, clientCapabilities)
    if (missing !== null) this.#done(answerUndeclared(missing))
    return missing !== null
  }

  /** The origin wants pages to be opened first: the client is asked, and its retry makes the call again. */
  #needsPages(error: RpcError): void {
    const pages = pagesIn(error.data)
    if (pages === null || this.#parked === null) {
      this.#done(this.#errorOf(error, false))
      return
    }
    if (!offers(this.#request.clientCapabilities, 'elicitation', 'url')) {
      this.#done(answerUndeclared({ elicitation: { url: {} } }))
      return
    }
    const asked = this.#parked.pagesFirst(
      pages.map(({ url, message }) => ({ message: typeof message === 'string' ? message : '', url })),
    )
    if (asked === null)
      this.#refuse('upstream_invalid_response', 'it asks the client for more than the client can give')
    else this.#done(asked)
  }

  #failed(error: RpcError, isModernOrigin: boolean): void {
    const failure = this.#runnerFailure(error, true)
    if (failure !== null) this.#refuse(failure.code, failure.reason, failure.members)
    else if (this.#isForWant(error.message, isModernOrigin)) return
    else if (!isModernOrigin && this.#request.isModern && error.code === URL_NEEDED) this.#needsPages(error)
    // The virtual MCP completes arguments, since some of its origins do
    else if (this.#request.method === COMPLETE && error.code === RPC.methodNotFound)
      this.#done({ kind: 'result', text: resultFor(COMPLETE, NO_COMPLETION, false, this.#request.isModern) })
    else this.#done(this.#errorOf(error, isModernOrigin))
  }

  /** Null for an error of the server itself. */
  #runnerFailure(error: RpcError, wasSent: boolean): RunnerFailure | null {
    return this.#member.origin.runnerFields === null ? null : runnerFailureIn(error, wasSent)
  }

  /** As its origin wrote it where nothing differs. */
  #giveResult(reply: ResultReply, isModernOrigin: boolean): void {
    const { method, isModern, version } = this.#request
    // The answer of a parked call is written for another thread
    const passed = this.#parked === null ? passedResult(method, reply, isModernOrigin, isModern) : null
    if (passed !== null) {
      this.#done(passed)
      return
    }
    const { result, text } = reply
    const { capabilities } = this.#joined
    const { member } = this.#target
    const asked = this.#askedUri()
    const fitted = fitResult(method, result, { version, isModernOrigin, uri: asked?.own ?? null })
    if ('fault' in fitted) {
      this.#refuse('upstream_invalid_response', `its result ${fitted.fault}`)
      return
    }
    const shown = withPublicUris(
      method,
      fitted.result,
      (uri, isQuick) => capabilities.publicUri(member, uri, isQuick),
      asked,
    )
    const own = shown === result ? text : null
    this.#done({ kind: 'result', text: resultFor(method, shown, isModernOrigin, isModern, own) })
  }

  /** The URI of resources/read at the origin, and as the caller gave it. */
  #askedUri(): { readonly own: string; readonly name: string } | null {
    const { name, params } = this.#target
    return this.#request.method === 'resources/read' ? { own: String(params['uri']), name } : null
  }

  #errorOf(error: RpcError, isModernOrigin: boolean): RelayedAnswer {
    return errorFor(error, this.#request, isModernOrigin, this.#askedUri())
  }

  #refuse(code: RefusalCode, reason: string, members: Members = EMPTY): void {
    this.#accountFor(code, reason)
    const { slug } = this.#member.origin.fragment
    const detail = `The origin "${slug}" did not answer the call: ${reason.replace(/\.?$/, '.')}`
    this.#refused(code, problemOf(code, { detail, members: { origin: slug, ...members } }, this.#requestId))
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
  #accountFor(code: RefusalCode, reason: string): void {
    const { received, method } = this.#request
    if (received.isAccounted) return
    received.isAccounted = true
    this.#tools.gateway.message(this.#sender.incoming, {
      requestId: this.#requestId,
      code,
      reason,
      agent: toRecordAgent(received, method, this.#target.name, ''),
      origin: this.#member.origin.id,
    })
  }

  /** A refusal that a model reads comes as a result of the tool; other methods have errors alone. */
  #refused(code: RefusalCode, problem: Uint8Array | object): void {
    const text =
      problem instanceof Uint8Array ? Buffer.from(problem).toString('utf8') : JSON.stringify(problem)
    const { method } = this.#request
    const asked = code === 'connect_required' ? this.#toConnect(text) : null
    if (asked !== null) {
      this.#done(asked, code)
      return
    }
    if (method === 'tools/call') {
      this.#done(toolAnswer(this.#request, { kind: 'result', json: text, isError: true }), code)
      return
    }
    const data: unknown = JSON.parse(text)
    const message =
      isMembers(data) && typeof data['detail'] === 'string' ? data['detail'] : PROBLEMS[code].title
    this.#done({ kind: 'error', code: PROBLEMS[code].status, message, data }, code)
  }

  /** Null for a client that cannot send its person to a page. @param problem text of the refusal */
  #toConnect(problem: string): RelayedAnswer | null {
    const { retried = null } = this.#target
    const { name } = this.#member.origin.fragment
    const asked = connectPage(JSON.parse(problem) as Members, name, this.#request, retried)
    if (asked === null || 'kind' in asked) return asked
    const round = retried?.round ?? 0
    return this.#tools.parking.connectFirst(this.#joined, this.#sender, this.#request, asked, round)
  }

  #mirrored(version: string, { arguments: given }: Members): string {
    const { schema } = this.#target
    if (schema == null || !isModernVersion(version)) return ''
    return mirroredLines(this.#tools.argumentHeaders.of(schema), isMembers(given) ? given : EMPTY)
  }

  /** Called from events of sockets: a throw there would end the thread. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#tools.fault(error, this.#requestId)
      this.#done(INTERNAL)
    }
  }
}
