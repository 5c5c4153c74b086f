/** How streams that stay open at an origin reach it: for Postern itself, or in the name of a caller. */
import type { Clock } from '../../../base/clock.ts'
import type { AnswerPieces, Caller, GatewayPort, InnerAnswer } from '../../../gateway/port.ts'
import { fieldValue } from '../../../gateway/request-headers.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import type { StandingStreamTools } from '../../origin/change-stream.ts'
import type { OriginAnswer, OriginAnswerReader, OwnName, ReadFromOrigin } from '../../origin/envelope.ts'
import type { SseTools } from '../../origin/sse-session.ts'
import { isMembers, isModernVersion, type Members } from '../../protocol/message.ts'

/** A stream may say nothing for so long, milliseconds. A server that is gone without a word is found out by then. */
export const STREAM_IDLE_MS = 30 * 60_000
/** Of the stream, and of what is said beside it. */
const CONNECTIONS = 4

type Fragment = LinkedOrigin['fragment']

export interface StreamsTools {
  readonly own: OwnName
  readonly requestIds: () => string
  readonly clock: Clock
  /** Waits before a stream is opened again; see {@link StandingStreamTools}. */
  readonly streamWaits?: StandingStreamTools['waits']
}

/** What an origin declares; nothing before its first probe. */
function declaredBy({ fragment: { verdict } }: LinkedOrigin): Members {
  const declared: unknown = JSON.parse(verdict?.capabilities ?? '{}')
  return isMembers(declared) ? declared : {}
}

/** True where some list of the origin tells of its changes. */
export function tellsOfLists(origin: LinkedOrigin): boolean {
  const declared = declaredBy(origin)
  return ['tools', 'prompts', 'resources'].some((type) => {
    const one = declared[type]
    return isMembers(one) && one['listChanged'] === true
  })
}

/** True where changes of its resources can be watched. */
export function tellsOfResources(origin: LinkedOrigin): boolean {
  const { verdict } = origin.fragment
  if (verdict === null) return false
  if (isModernVersion(verdict.version)) return true
  const { resources } = declaredBy(origin)
  return isMembers(resources) && resources['subscribe'] === true
}

/**
 * How a stream reaches its origin. Connections are those of streams alone: calls keep theirs, and no breaker holds a stream up.
 * @param caller in whose name, for an origin whose credential is made of the caller's token; null for Postern itself
 */
export function streamToolsOf(
  origin: LinkedOrigin,
  caller: Caller | null,
  gateway: Pick<GatewayPort, 'askOrigin' | 'readOrigin'>,
  { own, requestIds, clock, streamWaits }: StreamsTools,
): StandingStreamTools {
  const fragment = forStreams(origin.fragment)
  const patient = patientOf(fragment)
  const read: ReadFromOrigin = (request, reader) => {
    const { pieces, done } = reading(reader)
    const asked = request.method === 'GET' ? patient : fragment
    return gateway.readOrigin(asked, request, pieces, done, caller)
  }
  return {
    own,
    requestIds,
    clock,
    ...(streamWaits === undefined ? {} : { waits: streamWaits }),
    // Streams are only opened to origins that have one
    version: origin.fragment.verdict!.version,
    capabilities: declaredBy(origin),
    send: async (request) => toOriginAnswer(await gateway.askOrigin(fragment, request, caller)),
    read,
    sse: origin.fragment.verdict?.transport === 'http_sse' ? sseTools(fragment, read) : null,
  }
}

function forStreams(fragment: Fragment): Fragment {
  const { upstream } = fragment
  if (upstream === null) return fragment
  const rules = { ...upstream.rules, breaker: null }
  return { ...fragment, upstream: { ...upstream, rules, pool_max: CONNECTIONS } }
}

/** Some servers send no head of an answer before its first event. */
function patientOf(fragment: Fragment): Fragment {
  const { upstream } = fragment
  return upstream === null
    ? fragment
    : { ...fragment, upstream: { ...upstream, first_byte_ms: STREAM_IDLE_MS } }
}

const ofSessions = new WeakMap<Fragment, Fragment>()

/** For the streams of sessions that calls run in: as many as the origin takes connections, and one pool for all. */
export function forStandaloneStreams(fragment: Fragment): Fragment {
  let known = ofSessions.get(fragment)
  if (known === undefined) {
    const { upstream } = patientOf(forStreams(fragment))
    const pool_max = fragment.upstream?.pool_max
    known = {
      ...fragment,
      upstream: upstream && { ...upstream, ...(pool_max === undefined ? {} : { pool_max }) },
    }
    ofSessions.set(fragment, known)
  }
  return known
}

function reading(reader: OriginAnswerReader): {
  readonly pieces: AnswerPieces
  readonly done: (answer: InnerAnswer) => void
} {
  return {
    pieces: {
      idleTimeoutMs: STREAM_IDLE_MS,
      head: (status, fields) => reader.head(status, (name) => fieldValue(fields, name)),
      piece: (bytes, from, to) => reader.piece(bytes, from, to),
      gaveUp() {},
    },
    done: ({ code }) => reader.over(code),
  }
}

/** How a stream at an origin is read: its URL, and its own times. Throws for an origin without a server. */
export function sseTools({ upstream, target }: Fragment, read: ReadFromOrigin): SseTools {
  if (upstream === null) throw new RangeError('the origin has no server')
  const { scheme, authority, first_byte_ms } = upstream
  return { read, url: `${scheme}://${authority}${target}`, waitMs: first_byte_ms }
}

/** The same for what Postern itself asks. @param as whose account is used at an origin with connections */
export function ownSseTools(
  gateway: Pick<GatewayPort, 'readOrigin'>,
  fragment: Fragment,
  as?: string,
): SseTools {
  const account = as === undefined ? {} : { as }
  return sseTools(fragment, (request, reader) => {
    const { pieces, done } = readingStream(fragment, reader)
    return gateway.readOrigin(fragment, { ...request, ...account }, pieces, done)
  })
}

/** An answer that stands, for a reader of the client of origins. It may be silent for as long as any answer of the origin. */
export function readingStream(
  { upstream }: Fragment,
  reader: OriginAnswerReader,
): { readonly pieces: AnswerPieces; readonly done: (answer: InnerAnswer) => void } {
  return {
    pieces: {
      idleTimeoutMs: upstream!.idle_ms,
      head: (status, fields) => reader.head(status, (name) => fieldValue(fields, name)),
      piece: (bytes, from, to) => reader.piece(bytes, from, to),
      gaveUp() {},
    },
    done: ({ code, body }) => reader.over(code === null ? null : detailOf(body)),
  }
}

/** What a problem object of the stages says. */
function detailOf(body: Uint8Array): string {
  const problem: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
  return isMembers(problem) ? String(problem['detail'] ?? problem['title']) : ''
}

/** The answer of the stages as the client of an origin reads it. */
export function toOriginAnswer({ code, body, status, fields, truncated }: InnerAnswer): OriginAnswer {
  if (code !== null) return { ok: false, reason: detailOf(body), isUnreachable: code.startsWith('upstream_') }
  return { ok: true, status, header: (name) => fieldValue(fields, name), body, truncated }
}
