import type { Caller } from '../../gateway/port.ts'
import type { LinkedOrigin } from '../../snapshot/linked/mcp.ts'
import { readReply } from '../origin/answer.ts'
import { initializeRequest, type OwnName, originNotification } from '../origin/envelope.ts'
import { sessionIn } from '../origin/probe.ts'
import type { SendToOrigin } from '../origin/send.ts'
import type { Members } from '../protocol/message.ts'

/** An opened session, or why there is none, as a sentence. `id` is null for a server without sessions. */
export type OriginSession = { readonly id: string | null } | { readonly reason: string }

/** Sessions that legacy origins have opened for this thread. */
export interface OriginSessions {
  /**
   * The session in which a caller's requests go to an origin, opened when first asked for. One serves all callers whose clients can
   * be asked the same, unless the credential of the origin is that of the caller.
   * @param capabilities what the origin may ask the client
   */
  of(
    origin: LinkedOrigin,
    caller: Caller,
    version: string,
    capabilities: Members,
    send: SendToOrigin,
  ): OriginSession | Promise<OriginSession>
  /** The origin knows it no longer. */
  drop(origin: LinkedOrigin, session: OriginSession): void
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

  function holderOf(
    origin: LinkedOrigin,
    { client, profile, subject }: Caller,
    capabilities: Members,
  ): string {
    const asked = JSON.stringify(capabilities)
    return isPersonal(origin) ? `${client.id}/${profile.id}/${subject} ${asked}` : asked
  }

  async function open(version: string, capabilities: Members, send: SendToOrigin): Promise<OriginSession> {
    const id = 'initialize'
    const answer = await send(initializeRequest(id, version, own, capabilities))
    const reply = readReply(answer, id, false)
    if (reply.kind !== 'result')
      return { reason: reply.kind === 'none' ? reply.reason : 'it refused to open a session' }
    const session = sessionIn(answer)
    await send(originNotification(version, session, 'notifications/initialized', {}))
    return { id: session }
  }

  return {
    of(origin, caller, version, capabilities, send) {
      let byHolder = opened.get(origin)
      if (byHolder === undefined) {
        byHolder = new Map()
        opened.set(origin, byHolder)
      }
      const holder = holderOf(origin, caller, capabilities)
      const known = byHolder.get(holder)
      if (known !== undefined) return known.session ?? known.promise
      const opening: Opening = { promise: open(version, capabilities, send), session: null }
      byHolder.set(holder, opening)
      void opening.promise.then((session) => {
        opening.session = session
        // The next call tries again
        if ('reason' in session && byHolder.get(holder) === opening) byHolder.delete(holder)
      })
      return opening.promise
    },
    drop(origin, session) {
      const byHolder = opened.get(origin)
      for (const [holder, opening] of byHolder ?? [])
        if (opening.session === session) byHolder!.delete(holder)
    },
  }
}
