/**
 * How an MCP endpoint of a gateway thread handles HTTP. Each message is authenticated anew, so a revocation holds from the
 * next message. Order: Origin and Host, credentials, method, envelope, arguments, call.
 */

import { DOORS } from '../../base/doors.ts'
import { type AllowsOrigin, createChallenge, isConsumerResource } from '../../base/http/origins.ts'
import { PROBLEMS, problemOf, type RefusalCode } from '../../base/refusal.ts'
import type { Caller, GatewayPort, Identified } from '../../gateway/port.ts'
import { createFieldReader, fieldValue, NOT_SHARED } from '../../gateway/request-headers.ts'
import { SMALL_BYTES_MAX } from '../../wire/caller-memory.ts'
import type { Incoming } from '../../wire/port.ts'
import { errorAnswer, type McpAnswer, RPC, withHeaders } from '../protocol/answer.ts'
import { createMcpEndpoint, type EndpointOptions, type McpEndpoint } from '../protocol/endpoint.ts'
import { isMembers, type Members, type RpcId } from '../protocol/message.ts'
import { createRebindingCheck } from '../protocol/rebinding.ts'
import type { Relay } from '../protocol/relay-port.ts'
import { wantedOf } from '../protocol/subscription.ts'
import {
  callName,
  identityOf,
  type RunningCalls,
  refusalOf,
  type Sender,
  toMessageOutcome,
} from './message.ts'
import { NO_ROOM } from './relay.ts'

export interface HttpDoorOptions<State> extends Omit<EndpointOptions, 'fault'> {
  readonly gateway: GatewayPort
  readonly running: RunningCalls
  readonly version: string
  /** Public origin: `https://api.example.com`. */
  readonly origin: string
  readonly allowsOrigin: AllowsOrigin
  /** Header lines that every answer carries: what a page of another origin may read. */
  readonly corsLines: (incoming: Incoming<State>) => string
  /** The id that the answer and what the gateway records of the message share. */
  readonly requestId: (incoming: Incoming<State>) => string
  /** Names behind `Incoming.taken`, in its order; all other headers are read from the passed lines. */
  readonly taken: readonly string[]
  readonly fault: (error: unknown, requestId: string) => void
}

/** Headers that the door reads of each request and the wire leaves among the passed lines. */
const PASSED = [
  'accept',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'origin',
  'x-conversation-id',
]
const readPassed = createFieldReader(PASSED)
const isPassed: ReadonlySet<string> = new Set(PASSED)

/** Largest message. Beyond it the wire answers 413. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024

const NOTHING_HERE = {
  code: 'not_found',
  detail: 'There is no virtual MCP at this path that this caller may call.',
  retryAfterMs: null,
} as const

/** An MCP server at a door. */
interface ServerAt {
  readonly name: string
  readonly info: { readonly name: string; readonly title: string; readonly version: string }
  readonly relay: Relay<Sender>
}

/** Makes the endpoints of a door. A message that leads to a call has the record of the call, any other its own. */
export function createEndpoints<State>(
  options: HttpDoorOptions<State>,
): (server: ServerAt) => McpEndpoint<Sender> {
  const { gateway, running, origin, fault } = options
  const refuses = createScopeCheck(createChallenges(origin))
  return (server) =>
    createMcpEndpoint(
      {
        ...server,
        identityOf: ({ caller }) => identityOf(caller),
        refuses,
        cancel: (sessionId, id) => running.cancel(callName(sessionId, id)),
        answered({ incoming, requestId }, received) {
          // A call has the record of the call, also one that was given up
          if (!received.isAccounted) gateway.message(incoming, toMessageOutcome(received, requestId))
        },
      },
      { ...options, fault: (error) => fault(error, '') },
    )
}

/**
 * @param endpointFor the endpoint that answers a caller; null where there is none for that caller
 */
export function createHttpDoor<State>(
  options: HttpDoorOptions<State>,
  endpointFor: (incoming: Incoming<State>, caller: Caller) => McpEndpoint<Sender> | null,
): (incoming: Incoming<State>) => void {
  const refuseRebinding = createRebindingCheck([options.origin], options.allowsOrigin)
  const read = headerReader(options.taken)
  const challenges = createChallenges(options.origin)

  /** An answer is kept until its caller has read it, and refused where there is no room for it. */
  function send(incoming: Incoming<State>, requestId: string, answer: McpAnswer): void {
    const { kept } = answer
    const body = kept ?? answer.body
    const bytes = kept === undefined ? answer.body.length : kept.before.length + kept.bytes.length
    if (bytes > SMALL_BYTES_MAX && !options.gateway.budget(incoming, 'answer').take(bytes)) {
      answerProblem(incoming, requestId, NO_ROOM, challenges, options.corsLines(incoming))
      return
    }
    let fields = `x-request-id: ${requestId}\r\n${options.corsLines(incoming)}`
    fields += linesOf(answer.headers)
    if (answer.pieces === undefined) incoming.answer(answer.status, fields, body)
    else sendPieces(incoming, answer.status, fields, answer.pieces)
  }

  /** An answer in pieces is written as it comes. A caller that does not read it loses it, by the bounds of the wire. */
  function sendPieces(
    incoming: Incoming<State>,
    status: number,
    fields: string,
    pieces: NonNullable<McpAnswer['pieces']>,
  ): void {
    let left = (): void => {}
    const budget = options.gateway.budget(incoming, 'answer')
    const stream = incoming.stream(
      status,
      fields,
      // Whatever comes late finds the stream ended
      { drained() {}, draining: () => stream.end(), gone: () => left() },
      budget,
    )
    left = pieces({ write: (piece) => void stream.write(piece), end: () => stream.end() })
  }

  /** Accounts for a request that no message was read from. */
  function note(incoming: Incoming, requestId: string, code: RefusalCode, reason: string): void {
    options.gateway.message(incoming, { requestId, code, reason, agent: null })
  }

  return (incoming) => {
    const requestId = options.requestId(incoming)
    const guarded = (work: () => void): void => {
      try {
        work()
      } catch (error) {
        options.fault(error, requestId)
        note(incoming, requestId, 'internal_error', 'fault')
        const detail = PROBLEMS.internal_error.help
        const refusal = { code: 'internal_error', detail, retryAfterMs: null } as const
        answerProblem(incoming, requestId, refusal, challenges, options.corsLines(incoming))
      }
    }
    guarded(() => {
      const header = read(incoming)
      const rebinding = refuseRebinding(header('origin'), incoming.host)
      if (rebinding !== null) {
        const { error = RPC.invalidRequest, status } = rebinding
        note(incoming, requestId, refusalOf(error, status), 'Origin or Host')
        return send(incoming, requestId, rebinding)
      }
      const go = (found: Identified): void => {
        if (!found.ok) {
          answerProblem(incoming, requestId, found, challenges, options.corsLines(incoming))
          return
        }
        const { caller } = found
        const endpoint = endpointFor(incoming, caller)
        if (endpoint === null) {
          note(incoming, requestId, 'not_found', NOT_SHARED)
          answerProblem(incoming, requestId, NOTHING_HERE, challenges, options.corsLines(incoming))
          return
        }
        const answer = (body: Uint8Array): void =>
          guarded(() =>
            endpoint.answer(
              { caller, requestId, incoming },
              { method: incoming.method, header, body },
              (result) => send(incoming, requestId, result),
            ),
          )
        if (incoming.method === 'POST')
          incoming.collect(MESSAGE_BYTES_MAX, options.gateway.budget(incoming, 'body'), (body) => {
            if (body !== null) answer(body)
          })
        else answer(new Uint8Array())
      }
      const found = options.gateway.identify(incoming)
      if (found instanceof Promise) void found.then((settled) => guarded(() => go(settled)))
      else go(found)
    })
  }
}

/** The resource that a challenge names: no part of a path that cannot be one gets into a header. */
function resourceOf(path: string): string {
  return isConsumerResource(path) ? path : DOORS.consumerMcp.path
}

/** Nearly all answers share their headers. */
let lastHeaders: McpAnswer['headers'] = {}
let lastLines = ''

function linesOf(headers: McpAnswer['headers']): string {
  if (headers === lastHeaders) return lastLines
  lastHeaders = headers
  lastLines = ''
  for (const name in headers) lastLines += `${name}: ${headers[name]}\r\n`
  return lastLines
}

function answerProblem(
  incoming: Incoming,
  requestId: string,
  refusal: { readonly code: RefusalCode; readonly detail: string; readonly retryAfterMs: number | null },
  challenges: Challenges,
  more: string,
): void {
  const { code, detail, retryAfterMs } = refusal
  const { status } = PROBLEMS[code]
  const members = retryAfterMs === null ? {} : { retry_after_ms: retryAfterMs }
  const body = JSON.stringify(problemOf(code, { detail, members }, requestId))
  let fields = `x-request-id: ${requestId}\r\n${more}content-type: application/problem+json\r\ncache-control: no-store\r\n`
  if (status === 401)
    fields += `www-authenticate: ${challenges(resourceOf(incoming.path))(incoming.host, code)}\r\n`
  if (retryAfterMs !== null) fields += `retry-after: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}\r\n`
  incoming.answer(status, fields, body)
}

/**
 * Gives a getter of the headers of one request: those taken by the wire by their place, the others from one pass
 * over the passed lines. Repeated fields are joined by `, ` (RFC 9110 section 5.3), so that they match nothing.
 */
function headerReader(
  taken: readonly string[],
): (incoming: Incoming) => (name: string) => string | undefined {
  const places = new Map(taken.map((name, place) => [name, place]))
  return (incoming) => {
    let passed: Readonly<Record<string, string>> | null = null
    return (name) => {
      const place = places.get(name)
      if (place !== undefined) return incoming.taken[place]
      // Such as a header for an argument of one tool
      if (!isPassed.has(name)) return fieldValue(incoming.pass, name)
      passed ??= readPassed(incoming.pass)
      return passed[name]
    }
  }
}

/** What a client asks for that knows no more: all kinds of capabilities. The person may leave some out. */
const ALL_SCOPES = 'mcp:tools mcp:prompts mcp:resources'

/** Scope by the first part of a method. A task is the work of a tool. */
const BY_FAMILY: ReadonlyMap<string, string> = new Map([
  ['tools', 'mcp:tools'],
  ['tasks', 'mcp:tools'],
  ['prompts', 'mcp:prompts'],
  ['resources', 'mcp:resources'],
])

/** The scopes that a request needs; none for one that anybody with a token may make. */
function scopesFor(method: string, params: Members): readonly string[] {
  const family = method.slice(0, Math.max(0, method.indexOf('/')))
  if (family === 'subscriptions') return watchedScopes(params)
  if (family !== 'completion') return [BY_FAMILY.get(family) ?? []].flat()
  const { ref } = params
  return [isMembers(ref) && ref['type'] === 'ref/prompt' ? 'mcp:prompts' : 'mcp:resources']
}

/** Changes are told of what the caller may list. */
function watchedScopes(params: Members): readonly string[] {
  const { tools, prompts, resources, uris } = wantedOf(params)
  return [
    ...(tools ? ['mcp:tools'] : []),
    ...(prompts ? ['mcp:prompts'] : []),
    ...(resources || uris.size > 0 ? ['mcp:resources'] : []),
  ]
}

/** Challenges of the MCP endpoints, each for the resource of its own path (RFC 9728 section 5.1). */
type Challenges = (path: string) => ReturnType<typeof createChallenge>

/** Paths whose challenges are kept. */
const PATHS_MAX = 1000

/** @param origin by which the gateway listener is reached */
function createChallenges(origin: string): Challenges {
  const made = new Map<string, ReturnType<typeof createChallenge>>()
  return (path) => {
    let challenge = made.get(path)
    if (challenge === undefined) {
      challenge = createChallenge([origin], path, ALL_SCOPES)
      if (made.size >= PATHS_MAX) made.clear()
      made.set(path, challenge)
    }
    return challenge
  }
}

/**
 * Refuses a request that the token of a person does not cover, with all scopes that the person should be asked for (MCP 2026-07-28,
 * authorization: step-up); null for one that it covers, and for callers who did not sign in.
 */
function createScopeCheck(
  challenges: Challenges,
): (sender: Sender, method: string, params: Members, id: RpcId) => McpAnswer | null {
  return ({ caller: { signIn }, incoming: { host, path } }, method, params, id) => {
    if (signIn === null) return null
    const needed = scopesFor(method, params).filter((scope) => !signIn.scopes.has(scope))
    if (needed.length === 0) return null
    const code = 'insufficient_scope'
    const detail = `The token lacks the scope ${needed.join(' ')}. Sign in again and allow it.`
    const all = [...signIn.scopes, ...needed].join(' ')
    const answer = withHeaders(errorAnswer(403, id, RPC.invalidRequest, detail), {
      'www-authenticate': challenges(path)(host, code, all, detail),
    })
    return { ...answer, refusal: code }
  }
}
