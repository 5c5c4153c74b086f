/** What a session at an origin depends on. Sessions that agree in `origin`, `reach` and `holder` are one. */
export interface SessionKey {
  /** Id of the origin. */
  readonly origin: string
  /** Digest of how the origin is reached. */
  readonly reach: string
  /** Digest of what the origin may ask its client, and of whose session it is. */
  readonly holder: string
  /** Session of the client in which it was opened, as a hash; empty where it outlives such sessions. */
  readonly client: string
  /** Caller for whom the session is opened, also where others share it: it has a bound of its own. */
  readonly owner: string
  /** Id of the client of the owner: clients share the bounds of all, whatever owners a client names. */
  readonly ownerClient: string
}

/** A session that an origin has opened. */
export interface PooledSession {
  /** Unlike that of any other session of the pool. */
  readonly serial: string
  readonly key: SessionKey
  /** As the origin named it; null for an origin without session ids. */
  readonly id: string | null
}

/** What became of the question for a session. */
export type TakenSession =
  | { readonly kind: 'session'; readonly session: PooledSession }
  /** Nobody else is asked to open the session: the taker says `opened` or `failed` with this serial. */
  | { readonly kind: 'open'; readonly serial: string }
  /** Why there is none, as the end of a sentence about the origin. */
  | { readonly kind: 'failed'; readonly reason: string }

/**
 * Sessions at origins that many processes or threads share. A member is one of them.
 *
 * 1. Of any number of members that take a key at the same time, one opens the session. The others wait for it. If the opener ends
 *    before it has said what came of it, another one opens.
 * 2. A member holds a session from `take` or `opened` until `release` or `gone`. Until then it may use it without asking.
 * 3. A session that is unused, one too many, gone, or whose client has left is retired: nobody takes it any more, and its holders are
 *    told to release it.
 * 4. One holder is told to end the session at its origin: the last that releases it. An origin that has forgotten a session is not
 *    asked to end it.
 * 5. At a bound that clients share, the client with the most sessions loses one: nobody takes the place of those who have fewer.
 * 6. While a task of the origin works in a session, the session is not retired for being unused or because its client has left.
 */
export interface OriginSessionPool {
  /** The session of that key. Never rejects. */
  take(key: SessionKey): TakenSession | Promise<TakenSession>
  /** The origin has opened the session that the member was told to open. @param id null for an origin without session ids */
  opened(serial: string, id: string | null): void
  /** The origin has not. Those who wait get the reason; the next `take` tries again. */
  failed(serial: string, reason: string): void
  /** The session was used. It is enough to say so once a minute. */
  used(serial: string): void
  /** A task of the origin works in a session that the member holds, for at most so many milliseconds. */
  taskBegan(serial: string, task: string, ms: number): void
  /** It has ended, as any member may have found out. @param session as the origin named it */
  taskEnded(origin: string, session: string, task: string): void
  /** The client has ended its session, as in {@link SessionKey.client}: those that were opened in it are retired. */
  clientLeft(client: string): void
  /** The origin knows the session no longer. The member holds it no more. */
  gone(serial: string): void
  /** The member holds the session no more. True: it ends the session at the origin. Never rejects. */
  release(serial: string): boolean | Promise<boolean>
  /** Has `listener` told of sessions that the member must release once none of its calls needs them. It may hear of sessions that it never took. */
  onRetired(listener: (session: PooledSession) => void): void
}

/** The members of one pool. */
export interface OriginSessionMembers {
  /** A member of that name; it takes the place of an earlier one, which must have left. */
  join(name: string): OriginSessionPool
  /** The member has ended, and holds nothing. */
  leave(name: string): void
}
