/**
 * Sessions at origins of an earlier era. All threads share them; this thread remembers those that it uses.
 *
 * 1. Finding a session that this thread uses costs one look-up in a map.
 * 2. A session is ended at its origin when no call of any thread runs in it, and it was unused for long, its client has ended
 *    its own session, there are too many, or the origin is reached in another way or is gone. In the first two cases, running
 *    tasks end first.
 * 3. Each session of a client has its own session, and so has each caller without a session: a server may store what it is
 *    told in the session. Only if an origin shares its sessions, one session serves all callers whose clients have the same
 *    capabilities.
 * 4. A session belongs to the account at the origin that opened it. If each person has an account, nobody else uses the
 *    session.
 */

import type { Clock } from '../../../base/clock.ts'
import { canonicalJson, contentHash, textHash } from '../../../base/json/canonical.ts'
import type { NotConnected } from '../../../gateway/forward/connections.ts'
import type { Caller, GatewayPort } from '../../../gateway/port.ts'
import type {
  OriginSessionPool,
  PooledSession,
  SessionKey,
} from '../../../shared-state/ports/origin-sessions.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import { type RpcError, readReply } from '../../origin/answer.ts'
import {
  endSession,
  initializeRequest,
  type OwnName,
  originNotification,
  type SendToOrigin,
} from '../../origin/envelope.ts'
import { sessionIn } from '../../origin/probe.ts'
import { isMembers, type Members } from '../../protocol/message.ts'

/** A session that an origin has opened. */
export interface OriginSession {
  /** Null for a server without session ids. */
  readonly id: string | null
  /** Says that something runs in it: it is not ended before the function that this gives is called. */
  hold(): () => void
  /** A task works in it, that the origin keeps for so long: until then the session is not ended for want of calls. @param ttlMs null for no end */
  taskBegan(task: string, ttlMs: number | null): void
}

/** Why there is no session, as the end of a sentence about the origin. */
export interface NoSession {
  readonly reason: string
  /** The error by which the origin refused, where this thread has asked. */
  readonly error?: RpcError
  /** There is no account at the origin that it could be opened with. */
  readonly connection?: NotConnected
}

export interface OriginSessions {
  /**
   * The session in which a caller's requests go to an origin, opened when first asked for.
   * @param clientSession hash of the session in which the client speaks to Postern; empty for none
   * @param capabilities what the origin may ask the client
   * @param connection id of the account at the origin; empty for an origin without accounts
   * @param send asks the origin in the name of the caller
   */
  of(
    origin: LinkedOrigin,
    caller: Caller,
    clientSession: string,
    version: string,
    capabilities: Members,
    connection: string,
    send: SendToOrigin,
  ): OriginSession | NoSession | Promise<OriginSession | NoSession>
  /** The session with that id. One that this thread has not taken is used as long as its origin has it, and not held. */
  find(origin: LinkedOrigin, id: string | null): OriginSession
  /** A task that was begun in that session has ended. */
  taskEnded(origin: LinkedOrigin, session: string, task: string): void
  /** The client has ended its session. Those at origins that were opened in it are ended, once nothing runs in them. @param clientSession as in `of` */
  clientLeft(clientSession: string): void
  /** The origin knows it no longer. @param session as `of` has given it */
  drop(session: OriginSession): void
  /** Releases all, and ends those at their origins that no other thread holds. Takes at most a second. */
  close(): Promise<void>
}

export interface OriginSessionsTools {
  readonly pool: OriginSessionPool
  readonly gateway: Pick<GatewayPort, 'askOrigin' | 'origin' | 'onApplied'>
  readonly own: OwnName
  readonly clock: Clock
  /** True for an origin that has sessions per caller. */
  readonly isPersonal: (origin: LinkedOrigin) => boolean
}

const REFUSED = 'it refused to open a session'
/** How often the pool is told that a session is used, milliseconds. */
const MARK_MS = 60_000
/** A session is kept for a task for so long at most, milliseconds. */
const TASK_MS_MAX = 3_600_000
/** How long a stop waits for origins, milliseconds. */
const CLOSE_MS = 1000

export function createOriginSessions(tools: OriginSessionsTools): OriginSessions {
  const { pool, gateway, own, clock, isPersonal } = tools
  const byName = new Map<string, Held>()
  const bySerial = new Map<string, Held>()
  const taking = new Map<string, Promise<OriginSession | NoSession>>()
  /** Sessions that are being released and ended. */
  const ending = new Set<Promise<void>>()

  async function open(version: string, capabilities: Members, send: SendToOrigin): Promise<Came> {
    const id = 'initialize'
    const answer = await send(initializeRequest(id, version, own, capabilities))
    const reply = readReply(answer, id, false)
    if (reply.kind === 'none') return { reason: reply.reason }
    if (reply.kind === 'error') return { reason: REFUSED, error: reply.error }
    if (reply.kind === 'session_gone') return { reason: REFUSED }
    const session = sessionIn(answer)
    await send(originNotification(version, session, 'notifications/initialized', {}))
    return { id: session }
  }

  async function take(
    key: SessionKey,
    made: (session: PooledSession) => Held,
    opened: () => Promise<Came>,
  ): Promise<OriginSession | NoSession> {
    const taken = await pool.take(key)
    if (taken.kind === 'failed') return { reason: taken.reason }
    if (taken.kind === 'session') return keep(made(taken.session))
    const { serial } = taken
    let came: Came = { reason: 'it was not called' }
    try {
      came = await opened()
    } finally {
      if ('reason' in came) pool.failed(serial, came.reason)
      else pool.opened(serial, came.id)
    }
    return 'reason' in came ? came : keep(made({ serial, key, id: came.id }))
  }

  function keep(held: Held): Held {
    byName.set(held.name, held)
    bySerial.set(held.pooled.serial, held)
    return held
  }

  /** Nothing takes it here any more. */
  function forget(held: Held): void {
    held.isOver = true
    if (byName.get(held.name) === held) byName.delete(held.name)
  }

  function retire(held: Held): void {
    forget(held)
    if (held.running === 0) release(held)
  }

  function release(held: Held): void {
    if (!bySerial.delete(held.pooled.serial)) return
    void track(giveBack(held.pooled, held))
  }

  async function giveBack({ serial, id }: PooledSession, how: Way | null): Promise<void> {
    const isLast = await pool.release(serial)
    if (isLast && id !== null && how !== null)
      await gateway.askOrigin(how.fragment, endSession(how.version, id), how.caller)
  }

  function track(work: Promise<void>): Promise<void> {
    ending.add(work)
    return work.finally(() => ending.delete(work))
  }

  function retired(session: PooledSession): void {
    const held = bySerial.get(session.serial)
    if (held !== undefined) retire(held)
    // One of those that are being taken may be it
    else if (taking.size > 0) void Promise.all(taking.values()).then(() => retired(session))
    // Its holders have ended
    else void track(giveBack(session, wayOf(session)))
  }

  /** How a session can be ended that this thread never took: not that of a caller. */
  function wayOf({ key: { origin: id, reach } }: PooledSession): Way | null {
    const origin = gateway.origin(id)
    if (origin === null || reachOf(origin) !== reach || isPersonal(origin)) return null
    const { fragment } = origin
    return { fragment, version: fragment.verdict!.version, caller: null }
  }

  pool.onRetired(retired)
  gateway.onApplied(() => {
    for (const held of [...byName.values()]) {
      const { origin: id, reach } = held.pooled.key
      const origin = gateway.origin(id)
      if (origin === null || reachOf(origin) !== reach) retire(held)
    }
  })

  return {
    of(origin, caller, clientSession, version, capabilities, connection, send) {
      const isOwn = isPersonal(origin)
      const owner = ownerOf(caller)
      const asked = holderOf(origin, caller, clientSession, isOwn, connection, capabilities)
      const reach = reachOf(origin)
      const name = `${origin.id} ${reach} ${asked}`
      const known = byName.get(name)
      if (known !== undefined) {
        if (isOwn) known.caller = caller
        return known
      }
      const waiting = taking.get(name)
      if (waiting !== undefined) return waiting
      const client = clientSessionOf(origin, clientSession)
      const ownerClient = caller.client.id
      const key = { origin: origin.id, reach, holder: textHash(asked), client, owner, ownerClient }
      const way: Way = { fragment: origin.fragment, version, caller: isOwn ? caller : null }
      const made = (session: PooledSession): Held =>
        new Held(name, session, way, clock, { used: pool.used, taskBegan: pool.taskBegan, unused: release })
      const taken = take(key, made, () => open(version, capabilities, send)).finally(() =>
        taking.delete(name),
      )
      taking.set(name, taken)
      return taken
    },
    find(origin, id) {
      // Also one that no further call takes: what it is used for here is in it
      for (const held of bySerial.values())
        if (held.id === id && held.pooled.key.origin === origin.id) return held
      return { id, hold: () => () => {}, taskBegan() {} }
    },
    taskEnded: (origin, session, task) => pool.taskEnded(origin.id, session, task),
    clientLeft: (clientSession) => pool.clientLeft(clientSession),
    drop(session) {
      // There are no other sessions than these
      const held = session as Held
      if (held.isOver) return
      forget(held)
      bySerial.delete(held.pooled.serial)
      pool.gone(held.pooled.serial)
    },
    async close() {
      for (const held of [...bySerial.values()]) {
        forget(held)
        release(held)
      }
      const late = new Promise<void>((resolve) => void setTimeout(resolve, CLOSE_MS).unref())
      await Promise.race([Promise.all(ending), late])
    },
  }
}

/** What an origin has answered to `initialize`. */
type Came = { readonly id: string | null } | NoSession

/** How the end of a session is asked for. */
interface Way {
  readonly fragment: LinkedOrigin['fragment']
  readonly version: string
  /** Null for a session that callers share. */
  readonly caller: Caller | null
}

/** Who is told of a session that this thread holds. */
type Told = Pick<OriginSessionPool, 'used' | 'taskBegan'> & { unused(held: Held): void }

/** A session that this thread holds. */
class Held implements OriginSession, Way {
  readonly name: string
  readonly pooled: PooledSession
  readonly fragment: Way['fragment']
  readonly version: string
  /** The last one, whose credentials are the newest. */
  caller: Caller | null
  running = 0
  /** No further call may take it. */
  isOver = false
  readonly #clock: Clock
  readonly #told: Told
  #markedAt: number

  constructor(
    name: string,
    pooled: PooledSession,
    { fragment, version, caller }: Way,
    clock: Clock,
    told: Told,
  ) {
    this.name = name
    this.pooled = pooled
    this.fragment = fragment
    this.version = version
    this.caller = caller
    this.#clock = clock
    this.#told = told
    this.#markedAt = clock.monotonic()
  }

  get id(): string | null {
    return this.pooled.id
  }

  taskBegan(task: string, ttlMs: number | null): void {
    this.#told.taskBegan(this.pooled.serial, task, Math.min(TASK_MS_MAX, ttlMs ?? TASK_MS_MAX))
  }

  hold(): () => void {
    let isHeld = true
    this.running++
    this.#mark()
    return () => {
      if (!isHeld) return
      isHeld = false
      this.running--
      this.#mark()
      if (this.isOver && this.running === 0) this.#told.unused(this)
    }
  }

  #mark(): void {
    const now = this.#clock.monotonic()
    if (now - this.#markedAt < MARK_MS) return
    this.#markedAt = now
    this.#told.used(this.pooled.serial)
  }
}

// What tells sessions at one origin apart.

/** The caller among all callers. */
function ownerOf({ client, profile, subject }: Caller): string {
  return `${client.id}/${profile.id}/${subject}`
}

/**
 * Whose session it is, and what the origin may ask there.
 * @param clientSession id of the session of the client; empty for none
 * @param isOwn the origin has sessions per caller, also where it shares them
 * @param connection id of the account at the origin, which a refreshed token does not change; empty for an origin without accounts
 */
export function holderOf(
  { fragment }: LinkedOrigin,
  caller: Caller,
  clientSession: string,
  isOwn: boolean,
  connection: string,
  capabilities: Members,
): string {
  const owner = ownerOf(caller)
  const isShared = fragment.shares_sessions === true
  const holder = isShared ? (isOwn ? owner : '') : clientSession || owner
  return `${holder}${connection === '' ? '' : ` ${connection}`} ${canonicalJson(capabilities)}`
}

/** The session of the client that a session at an origin ends with; empty for one that outlives such sessions. */
export function clientSessionOf({ fragment }: LinkedOrigin, clientSession: string): string {
  return fragment.shares_sessions === true ? '' : clientSession
}

const reaches = new WeakMap<LinkedOrigin['fragment'], string>()

/** Digest of how an origin is reached. What does not lead elsewhere is left out, so that a session outlives its change. */
export function reachOf({ fragment }: LinkedOrigin): string {
  let reach = reaches.get(fragment)
  if (reach === undefined) {
    const { slug, name, active, policy, total_ms, needs, upstream, verdict, ...where } = fragment
    const { connect_ms, first_byte_ms, idle_ms, pool_max, rules, ...server } = upstream ?? NOWHERE
    const { capabilities, instructions, ...spoken } = verdict ?? UNKNOWN
    reach = contentHash({ where, server, spoken })
    reaches.set(fragment, reach)
  }
  return reach
}

const NOWHERE: Partial<NonNullable<LinkedOrigin['fragment']['upstream']>> = {}
const UNKNOWN: Partial<NonNullable<LinkedOrigin['fragment']['verdict']>> = {}

// Log messages of origins of earlier eras. A session has one level for all of its requests (2025-11-25, server/utilities/logging). Once a
// request wants messages, the session asks for all of them, and each request gets those that it wants (log-levels.ts): another thread
// uses the same session and may want other levels.

/** The level that lets every message pass. */
export const MOST_VERBOSE = 'debug'

const asked = new WeakMap<OriginSession, Promise<unknown>>()

/** An origin that does not answer a request for a level holds up its calls for so long, milliseconds. */
const LEVEL_MS = 2000

const takers = new WeakMap<LinkedOrigin, boolean>()

/** True for an origin that says it takes levels. */
export function takesLevels(origin: LinkedOrigin): boolean {
  let takes = takers.get(origin)
  if (takes === undefined) {
    const capabilities: unknown = JSON.parse(origin.fragment.verdict?.capabilities ?? '{}')
    takes = isMembers(capabilities) && isMembers(capabilities['logging'])
    takers.set(origin, takes)
  }
  return takes
}

/**
 * The level from which a client of an earlier revision gets log messages; null for none. Without a level of its own the origin decides
 * (2025-11-25, server/utilities/logging), but other clients of a shared session may have asked for all messages.
 * @param given level that the client has set; null for none
 */
export function levelFor(origin: LinkedOrigin, given: string | null): string | null {
  if (given !== null || !takesLevels(origin)) return given
  return origin.fragment.shares_sessions === true ? 'info' : MOST_VERBOSE
}

/** Resolves when the session has a level, whether its origin took it or not. @param ask sets it; never rejects */
export function withLogs(session: OriginSession, ask: () => Promise<unknown>): Promise<unknown> {
  let asking = asked.get(session)
  if (asking === undefined) {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const timer = setTimeout(resolve, LEVEL_MS).unref()
    void ask()
      .finally(() => clearTimeout(timer))
      .then(resolve)
    asking = promise
    asked.set(session, asking)
  }
  return asking
}
