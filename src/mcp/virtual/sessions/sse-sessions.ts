/**
 * Sessions over HTTP+SSE. Each is a connection, which only this thread has.
 *
 * 1. A session has one call at a time, so all messages of its origin belong to that call.
 * 2. A session without a call is closed after a minute, when too many wait, when its client has ended its own, and when the
 *    origin is reached in another way.
 */
import type { Caller, GatewayPort } from '../../../gateway/port.ts'
import type { Events } from '../../../shared-state/ports/events.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import { type OwnName, originNotification, type SendToOrigin } from '../../origin/envelope.ts'
import { initializeOverSse, SseSession, type SseTools } from '../../origin/sse-session.ts'
import type { Members } from '../../protocol/message.ts'
import { clientSessionOf, holderOf, reachOf } from './sessions.ts'

/** How long a session waits for its next call, milliseconds. */
const IDLE_MS = 60_000
/** Sessions that wait, of those that are alike. */
const IDLE_MAX = 4
/** In this thread. */
const IDLE_ALL_MAX = 100

/** A session that a call has for itself. */
export interface TakenStream {
  readonly session: SseSession
  /** The call is over. @param isGood nothing of it is left, and the next call may have the session */
  giveBack(isGood: boolean): void
}

export interface SseSessions {
  /**
   * A session for one call. Never rejects.
   * @param clientSession id of the session of the client; empty for none
   * @param capabilities what the origin may ask the client
   * @param connection id of the account at the origin; empty for an origin without accounts
   * @param sse reads streams in the name of the caller @param send asks the origin likewise
   */
  take(
    origin: LinkedOrigin,
    caller: Caller,
    clientSession: string,
    version: string,
    capabilities: Members,
    connection: string,
    sse: SseTools,
    send: SendToOrigin,
  ): Promise<TakenStream | { readonly reason: string }>
  /** The client has ended its session. The other threads hear of it by themselves. @param clientSession as in `take` */
  clientLeft(clientSession: string): void
}

export interface SseSessionsTools {
  readonly gateway: Pick<GatewayPort, 'origin' | 'onApplied'>
  readonly events: Events
  readonly own: OwnName
  /** True for an origin that has sessions per caller. */
  readonly isPersonal: (origin: LinkedOrigin) => boolean
}

interface Waiting {
  readonly session: SseSession
  readonly of: Kind
  readonly timer: NodeJS.Timeout
}

/** What sessions must agree in to stand in for each other. */
interface Kind {
  readonly origin: string
  readonly reach: string
  readonly name: string
  /** Session of the client, as a hash; empty where the session does not end with it. */
  readonly client: string
}

export function createSseSessions({ gateway, events, own, isPersonal }: SseSessionsTools): SseSessions {
  const waiting = new Set<Waiting>()
  /** Those that calls have, and whether the next call may have them. */
  const busy = new Map<SseSession, { readonly client: string; hasLeft: boolean }>()

  function isCurrent({ origin: id, reach }: Kind): boolean {
    const origin = gateway.origin(id)
    return origin !== null && reachOf(origin) === reach
  }

  function stopWaiting(one: Waiting): void {
    waiting.delete(one)
    clearTimeout(one.timer)
  }

  function end(one: Waiting): void {
    stopWaiting(one)
    one.session.close()
  }

  function wait(session: SseSession, of: Kind): void {
    const alike = [...waiting].filter(({ of: { name } }) => name === of.name)
    if (alike.length >= IDLE_MAX) end(alike[0]!)
    else if (waiting.size >= IDLE_ALL_MAX) end([...waiting][0]!)
    const one: Waiting = { session, of, timer: setTimeout(() => end(one), IDLE_MS).unref() }
    waiting.add(one)
    session.whenOver(() => stopWaiting(one))
  }

  function taken(session: SseSession, of: Kind): TakenStream {
    const use = { client: of.client, hasLeft: false }
    busy.set(session, use)
    session.whenOver(() => busy.delete(session))
    let isOver = false
    return {
      session,
      giveBack(isGood) {
        if (isOver) return
        isOver = true
        busy.delete(session)
        if (isGood && !session.isOver && !use.hasLeft && isCurrent(of)) wait(session, of)
        else session.close()
      },
    }
  }

  async function open(
    version: string,
    capabilities: Members,
    sse: SseTools,
    send: SendToOrigin,
  ): Promise<SseSession | { readonly reason: string }> {
    const session = await initializeOverSse(sse, send, version, own, capabilities)
    if (!(session instanceof SseSession)) return session
    const initialized = originNotification(version, null, 'notifications/initialized', {})
    await send({ ...initialized, at: session.at })
    return session
  }

  function clientLeft(client: string): void {
    if (client === '') return
    for (const one of [...waiting]) if (one.of.client === client) end(one)
    for (const use of busy.values()) if (use.client === client) use.hasLeft = true
  }

  events.subscribe('session_ended', clientLeft)
  gateway.onApplied(() => {
    for (const one of [...waiting]) if (!isCurrent(one.of)) end(one)
  })

  return {
    clientLeft,
    async take(origin, caller, clientSession, version, capabilities, connection, sse, send) {
      const reach = reachOf(origin)
      const holder = holderOf(origin, caller, clientSession, isPersonal(origin), connection, capabilities)
      const client = clientSessionOf(origin, clientSession)
      const of = { origin: origin.id, reach, client, name: `${origin.id} ${reach} ${holder}` }
      // The newest: the others come to their end
      const known = [...waiting].findLast(({ of: { name } }) => name === of.name)
      if (known !== undefined) {
        stopWaiting(known)
        return taken(known.session, of)
      }
      const session = await open(version, capabilities, sse, send)
      return session instanceof SseSession ? taken(session, of) : session
    },
  }
}
