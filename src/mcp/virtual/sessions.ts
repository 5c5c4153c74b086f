import type { Caller } from '../../gateway/port.ts'
import type { LinkedOrigin } from '../../snapshot/linked/mcp.ts'
import { readReply } from '../origin/answer.ts'
import { initializeRequest, type OwnName, originNotification } from '../origin/envelope.ts'
import { sessionIn } from '../origin/probe.ts'
import type { SendToOrigin } from '../origin/send.ts'

/** An opened session, or why there is none, as a sentence. `id` is null for a server without sessions. */
export type OriginSession = { readonly id: string | null } | { readonly reason: string }

/** Sessions that legacy origins have opened for this thread. */
export interface OriginSessions {
  /**
   * The session in which a caller's requests go to an origin, opened when first asked for. One serves all callers, unless the
   * credential of the origin is that of the caller.
   */
  of(
    origin: LinkedOrigin,
    caller: Caller,
    version: string,
    send: SendToOrigin,
  ): OriginSession | Promise<OriginSession>
  /** The origin knows it no longer. */
  drop(origin: LinkedOrigin, caller: Caller, session: OriginSession): void
}

interface Opening {
  readonly promise: Promise<OriginSession>
  session: OriginSession | null
}

/** @param isPersonal True for an origin whose credential is made of the token of the caller */
export function createOriginSessions(
  own: OwnName,
  isPersonal: (origin: LinkedOrigin) => boolean,
): OriginSessions {
  const opened = new WeakMap<LinkedOrigin, Map<string, Opening>>()

  function holderOf(origin: LinkedOrigin, { client, profile, subject }: Caller): string {
    return isPersonal(origin) ? `${client.id}/${profile.id}/${subject}` : ''
  }

  async function open(version: string, send: SendToOrigin): Promise<OriginSession> {
    const id = 'initialize'
    const answer = await send(initializeRequest(id, version, own, {}))
    const reply = readReply(answer, id, false)
    if (reply.kind !== 'result')
      return { reason: reply.kind === 'none' ? reply.reason : 'it refused to open a session' }
    const session = sessionIn(answer)
    await send(originNotification(version, session, 'notifications/initialized', {}))
    return { id: session }
  }

  return {
    of(origin, caller, version, send) {
      let byHolder = opened.get(origin)
      if (byHolder === undefined) {
        byHolder = new Map()
        opened.set(origin, byHolder)
      }
      const holder = holderOf(origin, caller)
      const known = byHolder.get(holder)
      if (known !== undefined) return known.session ?? known.promise
      const opening: Opening = { promise: open(version, send), session: null }
      byHolder.set(holder, opening)
      void opening.promise.then((session) => {
        opening.session = session
        // The next call tries again
        if ('reason' in session && byHolder.get(holder) === opening) byHolder.delete(holder)
      })
      return opening.promise
    },
    drop(origin, caller, session) {
      const byHolder = opened.get(origin)
      const holder = holderOf(origin, caller)
      if (byHolder?.get(holder)?.session === session) byHolder.delete(holder)
    },
  }
}
