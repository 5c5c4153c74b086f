import { DOORS, isAtOrBelow } from '../../base/doors.ts'
import { mayHaveOwnCookies, withoutOwnCookies } from '../../base/http/fields.ts'
import { isReserved } from '../../model/http-names.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { type Handler, type Incoming, withoutFields } from '../../wire/port.ts'
import { isDocument, leavingFields } from '../answer/shared-origin.ts'
import { type End, Exchange, type Lane, type Targeted } from '../exchange.ts'
import { answerBudgetOf } from '../exchange-memory.ts'
import { takeTrace } from '../forward/request.ts'
import { type CertificateField, createForwardedCertificates } from '../identify/certificate-fields.ts'
import { forwardedOrigin, type Origin, trustedNetworks } from '../identify/origin.ts'
import { declaredAgent, mcpSurfaceOf } from '../record.ts'
import {
  AGENT_NAME,
  AUTHORIZATION,
  CLIENT_ID,
  CONVERSATION_ID,
  COOKIE,
  PROFILE_ID,
  SEC_FETCH_DEST,
  TRACE_PARENT,
  TRACE_STATE,
} from '../request-headers.ts'
import { begin, failed, over, refuse } from '../run.ts'
import { REST } from '../stages.ts'

/** Bytes of an answer that is gathered before it is passed on; a longer one cannot be judged. */
const GATHERED_BYTES_MAX = 16 * 1024 * 1024
/** For `Retry-After` while a thread has no snapshot. */
export const NOT_READY_RETRY_MS = 1000
const DATE: ReadonlySet<string> = new Set(['date'])

/** The socket of a caller. */
const SOCKET: End = {
  keepBytesMax: GATHERED_BYTES_MAX,
  readBytesMax: GATHERED_BYTES_MAX + 1,
  isWholeOnly: true,
  stream(exchange, upstream, request) {
    const incoming = incomingOf(exchange)
    const max = (exchange as Targeted).collection.fragment.body_bytes_max
    if (max < incoming.bodyBytesMax) incoming.bodyBytesMax = max
    incoming.forward(upstream, request)
  },
  open: (exchange, status, fields, writer) =>
    incomingOf(exchange).stream(
      status,
      withoutFields(leavingFields(exchange, { status, fields }), DATE),
      writer,
      answerBudgetOf(exchange),
    ),
  answer: (exchange, status, fields, body) => incomingOf(exchange).answer(status, fields, body),
  pass(exchange, given) {
    const lines = withoutFields(leavingFields(exchange, given), DATE)
    incomingOf(exchange).answer(given.status, lines, given.body)
  },
}

/** Exchanges of this end are made of incomings alone. */
const incomingOf = ({ source }: Exchange): Incoming => source as Incoming

export interface SocketOptions {
  readonly lane: Lane
  readonly requestIds: () => string
  /** The snapshot in force. */
  readonly snapshot: () => Snapshot
  readonly isReady: () => boolean
  /** Networks whose forwarding headers are believed; the listener must then have the rules for them. */
  readonly trustedProxies: readonly string[]
  /** Field in which they give the certificates of their callers; null for none. */
  readonly certificateField: CertificateField | null
  /** The gateway listener speaks TLS. */
  readonly secure: boolean
  /** Gets requests whose path is reserved; it must lead to one `answer` or `forward`. */
  readonly reserved: (incoming: Incoming<Exchange>, exchange: Exchange) => void
  /** True where a reserved path is not served at this host. */
  readonly isWithheld: (path: string, host: string) => boolean
}

/** The handler of a gateway listener, and what its other doors ask of an incoming request. */
export interface Sockets extends Handler<Exchange> {
  /** The exchange of a request; made when it has none. */
  exchangeOf(incoming: Incoming<Exchange>): Exchange
  /** Address of the caller and id of a request that goes through no checks. */
  trace(incoming: Incoming<Exchange>): { readonly ip: string; readonly requestId: string }
}

export function createSockets(options: SocketOptions): Sockets {
  const { lane, requestIds, secure, reserved } = options
  const trusted = trustedNetworks(options.trustedProxies)
  const certificateOf = createForwardedCertificates(options.certificateField)

  function originOf(incoming: Incoming<Exchange>): Origin | null {
    return trusted === null ? null : forwardedOrigin(incoming, trusted, secure)
  }

  function toExchange(incoming: Incoming<Exchange>): Exchange {
    const origin = originOf(incoming)
    const snapshot = options.snapshot()
    const exchange = new Exchange(
      lane,
      SOCKET,
      incoming.outcome,
      origin?.requestId ?? requestIds(),
      lane.clock.now(),
      snapshot,
      0,
      incoming.method,
      incoming.path,
      incoming.host,
      origin === null ? incoming.peer : origin.ip,
      incoming.bodyBytes,
    )
    exchange.secure = origin === null ? secure : origin.secure
    if (origin !== null) exchange.reason = origin.fault
    const { taken } = incoming
    exchange.authorization = taken[AUTHORIZATION]
    exchange.clientRef = taken[CLIENT_ID]
    exchange.profileRef = taken[PROFILE_ID]
    // A trusted proxy speaks for its callers: a certificate of its own is not theirs
    if (snapshot.bindings.size > 0)
      exchange.certificate = origin === null ? (incoming.certificate ?? null) : certificateOf(taken)
    exchange.upgrade = incoming.upgrade === true
    const cookie = taken[COOKIE]
    exchange.pass =
      cookie !== undefined && mayHaveOwnCookies(cookie) ? withoutOwnCookies(incoming.pass) : incoming.pass
    const dest = taken[SEC_FETCH_DEST]
    if (dest !== undefined) exchange.isDocument = isDocument(dest)
    if (incoming.withheld !== undefined) exchange.withheld = incoming.withheld
    const traceParent = taken[TRACE_PARENT]
    if (traceParent !== undefined) takeTrace(exchange, traceParent, taken[TRACE_STATE])
    const agentName = taken[AGENT_NAME]
    const conversationId = taken[CONVERSATION_ID]
    if (agentName !== undefined || conversationId !== undefined)
      exchange.agent = declaredAgent(agentName, conversationId)
    exchange.query = incoming.query
    exchange.source = incoming
    incoming.state = exchange
    return exchange
  }

  const exchangeOf = (incoming: Incoming<Exchange>): Exchange => incoming.state ?? toExchange(incoming)

  return {
    exchangeOf,

    request(incoming) {
      const exchange = toExchange(incoming)
      const { path } = incoming
      const isOfAnother = isReserved(path)
      if (isOfAnother) setReserved(exchange)
      // Set by the forwarding headers of a trusted proxy that do not agree
      if (exchange.reason !== '') refuse(exchange, 'request_not_canonical', 'canonical')
      else if (isOfAnother) {
        if (options.isWithheld(path, incoming.host)) refuse(exchange, 'not_available', '')
        else reserved(incoming, exchange)
      } else if (options.isReady()) begin(REST, exchange)
      else refuseNotReady(exchange)
    },

    refused(incoming, code, inner) {
      const isNew = incoming.state === null
      const exchange = exchangeOf(incoming)
      if (isNew && isReserved(incoming.path)) setReserved(exchange)
      failed(exchange, code, inner)
    },

    finished(incoming) {
      if (incoming.state !== null) over(incoming.state)
    },

    trace(incoming) {
      const { state } = incoming
      if (state !== null) return state
      const origin = originOf(incoming)
      return { ip: origin?.ip ?? incoming.peer, requestId: origin?.requestId ?? requestIds() }
    },
  }
}

/** The doors at `/mcp` and below belong to the data plane; the control plane keeps its own trail. */
function setReserved(exchange: Exchange): void {
  exchange.reserved = true
  if (isAtOrBelow(exchange.path, DOORS.consumerMcp.path)) exchange.surface = mcpSurfaceOf(exchange.path)
}

/** Refuses a request of a thread that has just started and has no snapshot yet. */
function refuseNotReady(exchange: Exchange): void {
  exchange.retryAfterMs = NOT_READY_RETRY_MS
  refuse(exchange, 'not_ready', 'route')
}
