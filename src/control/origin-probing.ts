/**
 * Reads the catalogue of an origin again if there is a reason: the origin says that its lists have changed, or calls fail.
 *
 * 1. An origin is asked once at a time, and at most once in its interval. A reason that comes earlier waits and is never
 *    lost.
 * 2. If calls fail but the origin answers each probe, it is probed less and less often.
 * 3. An origin that is down is probed every {@link DOWN_MS} until it answers.
 */
import type { Clock } from '../base/clock.ts'
import type { OriginNews } from '../model/mcp/origin.ts'
import type { SignInState } from '../oauth/sign-in/oidc.ts'
import type { KeptSecret } from '../operations/engine/resource-secrets.ts'
import { attemptsOf, downSince } from '../operations/origins/attempt.ts'
import type { Links, Once, Throttle, Tombstones } from '../shared-state/ports/memory.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'

export interface OriginWatch {
  /** A thread has heard something about the lists of an origin. */
  news(origin: string, news: OriginNews): void
  /** An origin cannot be reached from a thread, or fails. */
  failed(origin: string): void
  /** Asks what is due. To be called often; resolves when what it has begun is done. */
  tick(): Promise<void>
}

export interface OriginWatchOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Reads the catalogue of an origin again. @returns whether the origin has answered; null for one that is not asked */
  readonly refresh: (origin: string) => Promise<boolean | null>
  /** Looks which origins are down, by what probes have found, and tells those who must know. */
  readonly outages: () => Promise<ReadonlySet<string>>
  /** Told of what kept an origin from being asked. */
  readonly fault: (error: unknown) => void
}

/** Many changes that come one after the other are read at once. */
const GATHER_MS = 300
/** Least intervals between two reads of one origin. */
const CHANGED_MS = 5000
const FAILED_MS = 5000
const FAILED_MS_MAX = 60_000
/** A stream that broke off and stands again says nothing of what was missed meanwhile; most often that is nothing. */
const REOPENED_MS = 5 * 60_000
/** Origins that are asked at the same time. */
const AT_ONCE = 8
const DOWN_MS = 15_000
/** Probes of other processes, and of administrators, are noticed so often. */
const LOOK_MS = 5000
/** An origin without news for so long is forgotten. */
const FORGET_MS = 15 * 60_000

interface Watched {
  /** When it was asked last, and when it is to be asked next; monotonic. */
  askedAt: number
  dueAt: number
  isRunning: boolean
  /** Calls have failed since it was asked last. */
  hasFailed: boolean
  /** Probes in a row that failed calls have led to, and that were answered. */
  falseAlarms: number
}

export function createOriginWatch({ clock, refresh, outages, fault }: OriginWatchOptions): OriginWatch {
  const origins = new Map<string, Watched>()
  /** Origins that have been watched since the start. */
  const seen = new Set<string>()
  let running = 0
  let down: ReadonlySet<string> = new Set()
  let lookAt = -Infinity
  let looking: Promise<void> | null = null

  /** Once more after the look that is under way: what was stored meanwhile is seen. */
  async function look(): Promise<void> {
    while (looking !== null) await looking
    looking = lookOnce()
    await looking
  }

  async function lookOnce(): Promise<void> {
    lookAt = clock.monotonic() + LOOK_MS
    try {
      down = await outages()
      for (const id of down) {
        const one = of(id)
        if (!one.isRunning) one.dueAt = Math.min(one.dueAt, one.askedAt + DOWN_MS)
      }
    } catch (error) {
      fault(error)
    } finally {
      looking = null
    }
  }

  function of(origin: string): Watched {
    let one = origins.get(origin)
    if (one === undefined) {
      one = { askedAt: -Infinity, dueAt: Infinity, isRunning: false, hasFailed: false, falseAlarms: 0 }
      origins.set(origin, one)
    }
    return one
  }

  function wantAt(one: Watched, at: number, leastMs: number): void {
    one.dueAt = Math.min(one.dueAt, Math.max(at, one.askedAt + leastMs))
  }

  async function ask(id: string, one: Watched): Promise<void> {
    const { hasFailed } = one
    Object.assign(one, { askedAt: clock.monotonic(), dueAt: Infinity, isRunning: true, hasFailed: false })
    running++
    try {
      const answers = await refresh(id)
      if (answers === null) {
        origins.delete(id)
        seen.delete(id)
      } else if (!answers) one.falseAlarms = 0
      else if (hasFailed) one.falseAlarms++
    } catch (error) {
      fault(error)
      wantAt(one, 0, FAILED_MS)
    } finally {
      one.isRunning = false
      running--
    }
    await look()
  }

  return {
    news(origin, news) {
      // The first stream since the start: the timer knows when the catalogue is due
      const isFirst = news === 'opened' && !seen.has(origin)
      seen.add(origin)
      if (isFirst) return
      const one = of(origin)
      wantAt(one, clock.monotonic() + GATHER_MS, news === 'reopened' ? REOPENED_MS : CHANGED_MS)
    },
    failed(origin) {
      // It is asked anyway
      if (down.has(origin)) return
      const one = of(origin)
      one.hasFailed = true
      wantAt(one, clock.monotonic(), Math.min(FAILED_MS_MAX, FAILED_MS * 2 ** one.falseAlarms))
    },
    async tick() {
      const now = clock.monotonic()
      if (now >= lookAt && looking === null) await look()
      const asked: Promise<void>[] = []
      for (const [id, one] of origins) {
        if (one.isRunning) continue
        if (one.dueAt > now) {
          if (one.dueAt === Infinity && now - one.askedAt > FORGET_MS) origins.delete(id)
        } else if (running < AT_ONCE) asked.push(ask(id, one))
      }
      await Promise.all(asked)
    },
  }
}

// Which origins cannot be reached, by the last probes of all processes that share the store.
//
// 1. Threads are told when the set changes, for one origin at most once in {@link HOLD_MS}: an unsteady origin changes lists
//    a bounded number of times.
// 2. An outage changes no name, no approval and no revision.

export interface OriginOutagesOptions {
  readonly store: ConfigStore
  readonly clock: Pick<Clock, 'monotonic'>
  /** Tells the gateway threads which origins are down, by id. */
  readonly tell: (origins: readonly string[]) => void
}

/** Between two changes of one origin, milliseconds. */
const HOLD_MS = 15_000

/** What looks anew, and gives the ids of the origins that are down. @param isAsked whether an origin has a server at all */
export function createOriginOutages(
  { store, clock, tell }: OriginOutagesOptions,
  isAsked: (origin: Resource) => boolean,
): () => Promise<ReadonlySet<string>> {
  let told: ReadonlySet<string> = new Set()
  const changedAt = new Map<string, number>()

  return async () => {
    const origins = (await store.read.all('origins')).filter(isAsked)
    const attempts = await attemptsOf(
      store.read,
      origins.map(({ id }) => id),
    )
    const down = new Set(
      origins.flatMap(({ id, spec }) => (downSince(spec, attempts.get(id)) === null ? [] : [id])),
    )
    const now = clock.monotonic()
    for (const [id, at] of changedAt) if (now - at >= HOLD_MS) changedAt.delete(id)
    const known = new Set(origins.map(({ id }) => id))
    const next = new Set<string>()
    let hasChanged = false
    for (const id of new Set([...told, ...down])) {
      if (!known.has(id)) {
        hasChanged = true
        continue
      }
      const isTold = told.has(id)
      const isNow = changedAt.has(id) ? isTold : down.has(id)
      if (isNow) next.add(id)
      if (isNow === isTold) continue
      hasChanged = true
      changedAt.set(id, now)
    }
    if (hasChanged) {
      told = next
      tell([...next].toSorted())
    }
    return down
  }
}

// What the control plane remembers for a while, and would share with control planes of other nodes.

/** Times are milliseconds since the epoch. */
interface EndedGrants {
  /** Gateway threads are told that some grant counts. */
  vouched(now: number): void
  /** @param lifeMs for which threads count on what they were told */
  end(grant: string, lifeMs: number, now: number): void
}

/** What the control plane remembers for a while, and would share with the control planes of other nodes. */
export interface ControlState {
  readonly tombstones: Tombstones
  readonly usedReplies: Once
  /** Grants of people that were revoked while access tokens of them may still live. */
  readonly endedGrants: EndedGrants
  readonly throttle: Throttle
  readonly secretLinks: Links<KeptSecret>
  readonly signIns: Links<SignInState>
  /** Connections at origins that are being made, sealed. */
  readonly connecting: Links<string>
}
