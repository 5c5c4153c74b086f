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
