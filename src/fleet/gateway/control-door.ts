/**
 * Sends requests for the control plane to the main thread. Each listener has a capacity of its own for verified and
 * for other requests, shared fairly between callers. For a request without a verified access token,
 * the body is read whole first and the response is collected whole, so that a slow caller holds no connection to the
 * control plane.
 */
import { DOORS, doorAt, isAtOrBelow, type Protected } from '../../base/doors.ts'
import {
  bearerOf,
  CONSOLE_HEADER,
  CONSOLE_LOGOUT_PATH,
  CONSOLE_SESSION_PATH,
  SESSION_MARK,
} from '../../base/http/fields.ts'
import { PoolShare, WaitingLine } from '../../base/memory/pool-share.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { SourceCounts } from '../../gateway/admit/source-counts.ts'
import { AUTHORIZATION, CONSOLE, FIELD_RULES } from '../../gateway/request-headers.ts'
import { networkOf } from '../../snapshot/find/network.ts'
import type { CallerMemory, MemoryReservation } from '../../wire/caller-memory.ts'
import {
  FAILURE_CODES,
  type ForwardRequest,
  type Incoming,
  type Upstream,
  type UpstreamOptions,
  withoutFields,
} from '../../wire/port.ts'
import { PREAMBLE } from '../shared/preamble.ts'
import { consoleSessions } from './console.ts'
import { LISTENERS } from './router.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

/**
 * Requests of one thread that the control plane works on at once, by listener and by whether the caller is authenticated.
 * None of the four takes from another.
 */
const PLACES = {
  gateway: { authenticated: 48, anonymous: 16 },
  control: { authenticated: 32, anonymous: 16 },
} as const
/** All of these, and some that are just ending. */
const CONTROL_CONNECTIONS_MAX = 160
/** How long the control plane may take to answer. */
const CONTROL_ANSWER_MS = 120_000

/** Body of a request whose caller is not authenticated. Nothing at `/oauth` needs more. */
const BODY_BYTES_MAX = 65_536
/** In this time all of it must have come. */
const BODY_MS = 10_000
/** Bodies of authenticated callers up to this size are also read before the control plane hears of the request. */
const SMALL_BODY_BYTES = 65_536
const SMALL_BODY_MS = 60_000
/** Answer to a caller that is not authenticated; the OpenAPI document is the largest. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

const DATE: ReadonlySet<string> = new Set(['date'])
const RETRY = 'Retry-After: 1\r\n'

/** The pool of connections to the control plane. @param socketPath its private socket */
export function controlUpstream(socketPath: string): UpstreamOptions {
  return {
    address: { socketPath },
    from: 'own',
    tls: null,
    // The system connects at once: what takes longer is a machine that stood still
    connectTimeoutMs: 10_000,
    firstByteTimeoutMs: CONTROL_ANSWER_MS,
    idleTimeoutMs: CONTROL_ANSWER_MS,
    connectionsMax: CONTROL_CONNECTIONS_MAX,
    waitingMax: CONTROL_CONNECTIONS_MAX,
  }
}

export interface ControlDoorOptions<State> {
  /** The private socket of the control plane. */
  readonly control: Upstream
  /** Address of the caller and id of the request. */
  readonly trace: (incoming: Incoming<State>) => { readonly ip: string; readonly requestId: string }
  /** Header lines that the response carries: what a page of another origin may read. */
  readonly corsLines: (incoming: Incoming<State>) => string
  readonly verifiedTokens: VerifiedTokens
  readonly sources: SourceCounts
  /** Pending requests of one source whose caller is not authenticated, on each listener and over all threads. */
  readonly pendingMax: number
  readonly memory: CallerMemory
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Answers a problem; `more` are further header lines. */
  readonly refuse: (incoming: Incoming<State>, code: RefusalCode, detail: string, more?: string) => void
  /** The control plane gave no answer. */
  readonly failed: (incoming: Incoming<State>, code: RefusalCode, inner: string) => void
  readonly fault: (error: unknown) => void
}

/** Hands requests for the control plane over its private socket. */
export interface ControlDoor<State> {
  answer(incoming: Incoming<State>): void
  /** A request of this listener is over, whether it came here or not. */
  finished(incoming: Incoming<State>): void
}

/**
 * The door of a gateway thread to the control plane. Invariants:
 *
 * 1. Requests whose caller is not authenticated never hold a connection to the control plane while their body arrives or
 *    while their answer is read: body and answer are gathered here, within bounds of size and time.
 * 2. Authenticated callers have capacity of their own on each listener. A token counts when the control plane has
 *    verified it lately, never because it was sent.
 * 3. No principal, and no source of anonymous requests, takes all places of its kind.
 * 4. What the control plane works on keeps its place until the control plane has answered, also when the caller has left.
 */
export function createControlDoor<State>(options: ControlDoorOptions<State>): ControlDoor<State> {
  const { control, verifiedTokens, sources, memory, refuse } = options
  const lines = {
    gateway: {
      authenticated: queueOf('gateway', 'authenticated'),
      anonymous: queueOf('gateway', 'anonymous'),
    },
    control: {
      authenticated: queueOf('control', 'authenticated'),
      anonymous: queueOf('control', 'anonymous'),
    },
  }
  const visits = new Map<Incoming<State>, Visit<State>>()

  function overloaded(incoming: Incoming<State>): void {
    refuse(incoming, 'overloaded', 'The control plane has too many pending requests. Try again.', RETRY)
  }

  function authenticated(visit: Visit<State>, principal: string): void {
    const { incoming, request, listener } = visit
    const enter = (): void =>
      visit.hold(
        lines[listener].authenticated.enter(
          principal,
          () => incoming.forward(control, request),
          () => overloaded(incoming),
        ),
      )
    const isSmall = incoming.bodyBytes > 0 && incoming.bodyBytes <= SMALL_BODY_BYTES
    if (!isSmall) enter()
    else
      incoming.collect(
        SMALL_BODY_BYTES,
        visit.budgetOf(memory, principal),
        (body) => body !== null && enter(),
        SMALL_BODY_MS,
      )
  }

  function anonymous(visit: Visit<State>, isManagement: boolean): void {
    const { incoming, ip, listener } = visit
    const leave = sources.enter(`${listener}_pending`, ip, options.pendingMax, options.now())
    if (leave === null) {
      refuse(
        incoming,
        'concurrency_exceeded',
        `This address has ${options.pendingMax} pending requests without a valid access token. Wait until one of them has ended.`,
        RETRY,
      )
      return
    }
    visit.hold({ leave })
    const source = networkOf(ip)
    const enter = (body: Uint8Array | null): void =>
      visit.hold(
        lines[listener].anonymous.enter(
          source,
          () => call(visit, body),
          () => overloaded(incoming),
        ),
      )
    // Management judges the credential before the body, and these have none that counts
    if (isManagement || incoming.bodyBytes === 0) enter(null)
    else
      incoming.collect(
        BODY_BYTES_MAX,
        visit.budgetOf(memory, source),
        (body) => body !== null && enter(body),
        BODY_MS,
      )
  }

  /** Gathers the answer, so that its reader holds nothing of the control plane. */
  function call(visit: Visit<State>, body: Uint8Array | null): void {
    const { incoming, request } = visit
    if (incoming.method === 'HEAD' && incoming.bodyBytes === 0) {
      incoming.forward(control, request)
      return
    }
    const budget = visit.budgetOf(memory, networkOf(visit.ip))
    budget.answers()
    visit.isCalling = true
    control.call(
      { ...request, body, keepBytesMax: ANSWER_BYTES_MAX, readBytesMax: ANSWER_BYTES_MAX + 1, budget },
      (result) => {
        visit.isCalling = false
        if (visit.isOver) visit.release()
        else if (!result.ok) options.failed(incoming, FAILURE_CODES[result.failure], result.inner)
        else if (result.isUnheld || result.truncated) overloaded(incoming)
        else {
          visit.leaveLine()
          incoming.answer(result.status, withoutFields(result.fields, DATE), result.body)
        }
      },
    )
  }

  function knownOf(tokens: readonly string[], resource: Protected): string | null {
    for (const token of tokens) {
      const known = verifiedTokens.known(token, resource)
      if (known !== null) return known
    }
    return null
  }

  async function principalOf(
    tokens: readonly string[],
    resource: Protected,
    source: string,
  ): Promise<string | null> {
    for (const token of tokens) {
      const principal = await verifiedTokens.ask(token, resource, source)
      if (principal !== null) return principal
    }
    return null
  }

  return {
    answer(incoming) {
      const { ip, requestId } = options.trace(incoming)
      const listener = incoming.listener === LISTENERS.control ? 'control' : 'gateway'
      const resource = resourceOf(incoming.path)
      const tokens = resource === null ? [] : tokensOf(incoming, resource)
      const known = resource === null ? null : knownOf(tokens, resource)
      const isWithheld = known === null && resource !== null && incoming.bodyBytes !== 0
      const request = (isBodyWithheld: boolean): ForwardRequest =>
        controlRequest(incoming, ip, requestId, isBodyWithheld, options.corsLines(incoming))
      const visit = new Visit(incoming, ip, listener, request(isWithheld))
      visits.set(incoming, visit)
      if (known !== null) authenticated(visit, known)
      else if (resource === null || tokens.length === 0) anonymous(visit, resource !== null)
      else
        principalOf(tokens, resource, networkOf(ip))
          .then((principal) => {
            if (visit.isOver) return
            if (principal === null) anonymous(visit, true)
            else {
              visit.request = request(false)
              authenticated(visit, principal)
            }
          })
          .catch((error: unknown) => {
            options.fault(error)
            options.failed(incoming, 'internal_error', String(error))
          })
    },
    finished(incoming) {
      if (visits.size === 0) return
      const visit = visits.get(incoming)
      if (visit === undefined) return
      visits.delete(incoming)
      visit.end()
    },
  }
}

function queueOf(listener: keyof typeof PLACES, kind: 'authenticated' | 'anonymous'): FairQueue {
  return new FairQueue(PLACES[listener][kind])
}

/** The bearer token of a request, or the sessions of the console that may stand in its place; none without either. */
function tokensOf(incoming: Incoming, resource: Protected): readonly string[] {
  const authorization = incoming.taken[AUTHORIZATION]
  const sessions = authorization === undefined && resource === 'rest' ? consoleSessions(incoming, null) : []
  if (sessions.length > 0) return sessions.map((value) => SESSION_MARK + value)
  const token = bearerOf(authorization)
  return token === '' ? [] : [token]
}

/**
 * What a token at a path must be for; null for paths that take no bearer token of management. Below the console, the session is asked
 * about and ended: its person has their own capacity for that too.
 */
function resourceOf(path: string): Protected | null {
  const handler = doorAt(path)?.handler
  if (path === CONSOLE_SESSION_PATH || path === CONSOLE_LOGOUT_PATH) return 'rest'
  if (handler === 'management_mcp') return 'mcp'
  return handler === 'mcp_registry' || isAtOrBelow(path, DOORS.management.path) ? 'rest' : null
}

/** One request at the door, and what it holds. */
class Visit<State> {
  readonly incoming: Incoming<State>
  readonly ip: string
  readonly listener: 'gateway' | 'control'
  request: ForwardRequest
  /** The caller was answered, or has left. */
  isOver = false
  /** The control plane works on it, and its answer is gathered. */
  isCalling = false
  #budget: MemoryReservation | null = null
  #places: Place[] = []

  constructor(
    incoming: Incoming<State>,
    ip: string,
    listener: 'gateway' | 'control',
    request: ForwardRequest,
  ) {
    this.incoming = incoming
    this.ip = ip
    this.listener = listener
    this.request = request
  }

  /** Where bytes are counted that are kept for it. */
  budgetOf(memory: CallerMemory, holder: string): MemoryReservation {
    this.#budget ??= memory.open(holder)
    return this.#budget
  }

  /** Keeps a place until the request is over. */
  hold(place: Place): void {
    if (this.isOver && !this.isCalling) place.leave()
    else this.#places.push(place)
  }

  /** The control plane has answered: others may ask it while the caller reads. The last place is its place in the queue. */
  leaveLine(): void {
    this.#places.pop()?.leave()
  }

  end(): void {
    this.isOver = true
    this.#budget?.release()
    if (!this.isCalling) this.release()
  }

  release(): void {
    for (const place of this.#places.splice(0)) place.leave()
  }
}

// A request as a gateway thread hands it to the control plane.

const ANSWER_NAMES = ['x-request-id']
const CORS_NAMES = ['x-request-id', 'access-control-allow-origin', 'access-control-expose-headers']

/**
 * A reserved path's request as the control plane gets it: unchanged but for the preamble, which says what this thread
 * has established. Inbound headers of those names were stripped by the wire.
 * @param ip address of the caller.
 * @param isBodyWithheld its body is not sent.
 * @param corsLines header lines of the response, of the CORS protocol.
 */
function controlRequest(
  incoming: Incoming,
  ip: string,
  requestId: string,
  isBodyWithheld: boolean,
  corsLines: string,
): ForwardRequest {
  let fields = incoming.pass
  // The wire lifted these out for the checks; the control plane reads them itself.
  for (const [index, name] of FIELD_RULES.take.entries()) {
    const value = incoming.taken[index]
    if (value !== undefined) fields += `${name}: ${value}\r\n`
  }
  // Stripped with all names of its prefix, whose other headers only this thread may set
  if (incoming.taken[CONSOLE] !== undefined) fields += `${CONSOLE_HEADER}: ${incoming.taken[CONSOLE]}\r\n`
  fields += `${PREAMBLE.peer}: ${ip}\r\n${PREAMBLE.requestId}: ${requestId}\r\n`
  if (isBodyWithheld) fields += `${PREAMBLE.bodyWithheld}: 1\r\n`
  return {
    method: incoming.method,
    target: incoming.query === '' ? incoming.path : `${incoming.path}?${incoming.query}`,
    host: incoming.host === '' ? 'localhost' : incoming.host,
    fields,
    responseFields: `X-Request-ID: ${requestId}\r\n${corsLines}`,
    responseNames: corsLines === '' ? ANSWER_NAMES : CORS_NAMES,
  }
}

// Places for requests at the control plane, shared between callers, with a queue for requests that wait for a place.

/** How long a request waits for a place, milliseconds. */
const WAIT_MS = 10_000
/** Requests that wait in one queue; holders share these places too. */
const WAITING_MAX = 512
/** Of these, requests of one holder at most. */
const WAITING_OF_ONE_MAX = 128

/** One request in a queue. */
export interface Place {
  /** Leaves the queue, or gives the place back. Later calls do nothing. */
  leave(): void
}

interface Waiting {
  readonly holder: string
  readonly begin: () => void
}

/** Places that holders share ({@link PoolShare}), and the line of those who wait for one, each until its deadline. */
export class FairQueue {
  readonly #waitMs: number
  readonly #share: PoolShare
  readonly #waiting = new WaitingLine<Waiting>(WAITING_MAX)

  constructor(places: number, waitMs = WAIT_MS) {
    this.#share = new PoolShare(places)
    this.#waitMs = waitMs
  }

  /**
   * Takes a place, now or later.
   * @param begin called once when the place is taken, possibly before this returns.
   * @param refused called once when the queue is full, or no place became free in time; `begin` is then never called.
   */
  enter(holder: string, begin: () => void, refused: () => void): Place {
    let state: 'waiting' | 'taken' | 'over' = 'waiting'
    let timer: NodeJS.Timeout | undefined
    const one: Waiting = {
      holder,
      begin: () => {
        clearTimeout(timer)
        state = 'taken'
        this.#share.take(holder)
        begin()
      },
    }
    const end = (): void => {
      this.#waiting.delete(one)
      state = 'over'
      refused()
    }
    const own = this.#waiting.sizeOf(holder)
    if (own === 0 && this.#share.mayTake(holder)) one.begin()
    else if (own < WAITING_OF_ONE_MAX && this.#waiting.add(one, Infinity))
      timer = setTimeout(end, this.#waitMs).unref()
    else end()
    return {
      leave: () => {
        const before = state
        state = 'over'
        clearTimeout(timer)
        this.#waiting.delete(one)
        if (before === 'taken') this.#release(holder)
      },
    }
  }

  #release(holder: string): void {
    this.#share.give(holder)
    for (let next = this.#waiting.next(this.#share); next !== null; next = this.#waiting.next(this.#share))
      next.begin()
  }
}
