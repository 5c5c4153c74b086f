/**
 * Tokens and keys of people that one gateway thread sends to origins. The main thread stores, seals and refreshes them.
 *
 * 1. The key of each token is person and origin together, so that no caller gets the token of another person.
 * 2. One question for a person and an origin is under way at a time. Later calls wait for its answer. A question about
 *    missing scopes is separate, because other calls continue with the token.
 * 3. A token counts until its time, until an origin has refused it, and until its connection has ended, whichever comes first. If the
 *    end of some connection found no place in the shared memory, no token counts that came before.
 * 4. Streams that were opened with a token end with its connection.
 * 5. The questions under way are bounded. Callers share the bound, and so do origins: an authorization server that does not answer
 *    holds up its own origin alone.
 */
import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/memory/lru.ts'
import { PoolShare } from '../../base/memory/pool-share.ts'
import type { ConnectionAnswer, RefusedConnection } from '../../model/access/caller.ts'
import { headerOf } from '../../snapshot/link/credential.ts'
import type { Sent } from '../../snapshot/linked-types/credential.ts'

/** The token or key of a connection, as it is sent. */
export interface Connected extends Sent {
  readonly ok: true
  /** Id of the connection; another one once the account is connected anew. */
  readonly connection: string
  readonly generation: number
}

/** Why there is nothing to send. */
export type NotConnected = Extract<ConnectionAnswer, { readonly ok: false }>

export type Connection = Connected | NotConnected

export interface Connections {
  /**
   * The token or key of a person for the origin, without a promise if this thread has it. Never rejects.
   * @param account id of the person, or SHARED @param origin id @param holder of the request: holders share the questions
   */
  of(account: string, origin: string, holder: string): Connection | Promise<Connection>
  /**
   * The origin has refused `refused`: what is to be sent in its place. Never rejects.
   * @param isAgain it was itself sent in the place of a refused one, within the same call
   * @param challenge of a 403 that asks for more scopes; null for a 401
   */
  instead(
    account: string,
    origin: string,
    holder: string,
    refused: Connected,
    isAgain: boolean,
    challenge: string | null,
  ): Promise<Connection>
  /** Calls `ended` once the connection has ended, until the function that it gives is called: for streams that stand. */
  onEnded(connection: string, ended: () => void): () => void
  /** Some connection has ended: calls the functions of {@link onEnded} whose connection it is. */
  look(): void
}

/** Asks the broker of the tokens. Must not reject. */
type AskConnection = (
  account: string,
  origin: string,
  refused: RefusedConnection | null,
) => Promise<ConnectionAnswer>

export interface ConnectionsTools {
  readonly ask: AskConnection
  /** True for a connection that has ended while its tokens may still live, as all threads know it. */
  readonly hasEnded: (connection: string) => boolean
  /** Another number than before: some connection has ended that `hasEnded` does not know. */
  readonly epoch: () => number
  readonly clock: Pick<Clock, 'now'>
}

/** Tokens and keys that a thread keeps; the one unused for longest is asked for again. */
const KEPT_MAX = 4096
/** Milliseconds for which a token or key is kept without asking: less than the time for which ended connections are remembered. */
const KEPT_MS = 10 * 60_000
/** Questions of one thread that are under way; holders share these places, and so do origins. */
const ASKED_MAX = 512

interface Kept {
  readonly sent: Connected
  /** Milliseconds since the epoch. */
  readonly until: number
  readonly epoch: number
}

interface Asked {
  readonly answer: Promise<Connection>
  readonly refused: RefusedConnection | null
}

const unavailable = (reason: string): NotConnected => ({
  ok: false,
  code: 'credential_unavailable',
  reason,
  page: null,
})

const NO_OTHER = unavailable('The origin refuses the token, and no new token is available yet.')

export function createConnections({ ask, hasEnded, epoch, clock }: ConnectionsTools): Connections {
  const kept = new Lru<string, Kept>(KEPT_MAX)
  const asked = new Map<string, Asked>()
  const places = new PoolShare(ASKED_MAX)
  const placesOfOrigins = new PoolShare(ASKED_MAX)
  /** Questions by origin, which the holders that wait for that origin share. */
  const atOrigins = new Map<string, { readonly places: PoolShare; count: number }>()
  const standing = new Set<{
    readonly connection: string
    readonly epoch: number
    readonly ended: () => void
  }>()

  function usable(key: string): Connected | null {
    const one = kept.get(key)
    if (one === undefined) return null
    if (clock.now() < one.until && one.epoch === epoch() && !hasEnded(one.sent.connection)) return one.sent
    kept.delete(key)
    return null
  }

  function question(
    account: string,
    origin: string,
    holder: string,
    refused: RefusedConnection | null,
  ): Promise<Connection> {
    const at = atOrigins.get(origin) ?? { places: new PoolShare(ASKED_MAX / 2), count: 0 }
    if (!places.mayTake(holder) || !at.places.mayTake(holder))
      return Promise.resolve(unavailable('Too many connections of this caller are being looked up.'))
    if (!placesOfOrigins.mayTake(origin))
      return Promise.resolve(unavailable('Too many connections at this origin are being looked up.'))
    places.take(holder)
    placesOfOrigins.take(origin)
    at.places.take(holder)
    at.count++
    atOrigins.set(origin, at)
    const key = keyOf(account, origin)
    const place = questionOf(key, refused)
    if (refused !== null && refused.challenge === undefined) kept.delete(key)
    const askedIn = epoch()
    const answer = ask(account, origin, refused).then((came) => {
      asked.delete(place)
      places.give(holder)
      placesOfOrigins.give(origin)
      at.places.give(holder)
      if (--at.count === 0) atOrigins.delete(origin)
      return taken(key, came, askedIn)
    })
    asked.set(place, { answer, refused })
    return answer
  }

  function taken(key: string, came: ConnectionAnswer, askedIn: number): Connection {
    if (!came.ok) return came
    if (hasEnded(came.connection) || askedIn !== epoch()) return unavailable('The connection has just ended.')
    const { connection, generation, header, value, until } = came
    try {
      const sent: Connected = { ok: true, connection, generation, ...headerOf(header, value) }
      kept.set(key, { sent, until: Math.min(until, clock.now() + KEPT_MS), epoch: askedIn })
      return sent
    } catch {
      // Without the text of the error: nothing of a secret is told
      return unavailable('The token or key has characters that no header can carry.')
    }
  }

  return {
    of(account, origin, holder) {
      const key = keyOf(account, origin)
      return usable(key) ?? asked.get(key)?.answer ?? question(account, origin, holder, null)
    },
    async instead(account, origin, holder, { connection, generation }, isAgain, challenge) {
      const key = keyOf(account, origin)
      const refused: RefusedConnection = {
        ...{ connection, generation },
        ...(isAgain ? { isAgain } : {}),
        ...(challenge === null ? {} : { challenge }),
      }
      for (;;) {
        const known = usable(key)
        // Another request was first: its token has not been refused yet
        if (known !== null && !isSame(known, refused) && !isAgain) return known
        const underWay = asked.get(questionOf(key, refused))
        const isOurs =
          underWay === undefined ||
          (isSame(underWay.refused, refused) && underWay.refused?.isAgain === refused.isAgain)
        const came = await (underWay?.answer ?? question(account, origin, holder, refused))
        if (isOurs) return came.ok && isSame(came, refused) ? NO_OTHER : came
      }
    },
    onEnded(connection, ended) {
      const own = { connection, epoch: epoch(), ended }
      standing.add(own)
      return () => standing.delete(own)
    },
    look() {
      const now = epoch()
      for (const one of [...standing]) if (one.epoch !== now || hasEnded(one.connection)) one.ended()
    },
  }
}

/** Key of a question that is under way. @param key of person and origin */
function questionOf(key: string, refused: RefusedConnection | null): string {
  return refused?.challenge === undefined ? key : `${key}\n${refused.challenge}`
}

/** Ids have no line breaks. */
function keyOf(account: string, origin: string): string {
  return `${account}\n${origin}`
}

type Named = Pick<RefusedConnection, 'connection' | 'generation'>

function isSame(one: Named | null, other: Named): boolean {
  return one !== null && one.connection === other.connection && one.generation === other.generation
}
