import type { Clock } from '../../base/clock.ts'
import type {
  OriginSessionMembers,
  OriginSessionPool,
  PooledSession,
  SessionKey,
  TakenSession,
} from '../ports/origin-sessions.ts'

/** How many sessions there may be. At a bound, the one that was unused for longest is retired. */
export interface OriginSessionBounds {
  readonly max: number
  readonly perOriginMax: number
  /** At one origin, opened for one owner. */
  readonly perOwnerMax: number
  /** A session that was unused for so long is retired, milliseconds. */
  readonly idleMs: number
}

/** Tasks that one session is kept for; further ones do not count. */
const TASKS_MAX = 1000

export const ORIGIN_SESSION_BOUNDS: OriginSessionBounds = {
  max: 10_000,
  perOriginMax: 2000,
  perOwnerMax: 200,
  idleMs: 10 * 60_000,
}

/** The pool of one process; its members are threads. */
export interface OriginSessionMemory extends OriginSessionMembers {
  /** Retires the sessions that were unused for too long. */
  sweep(): void
}

interface Member {
  readonly name: string
  retired: (session: PooledSession) => void
}

interface Waiting {
  readonly member: Member
  readonly resolve: (taken: TakenSession) => void
}

interface Kept {
  readonly serial: string
  readonly key: SessionKey
  /** Null while its opener opens it. */
  session: PooledSession | null
  opener: Member
  readonly waiting: Waiting[]
  readonly holders: Set<Member>
  isRetired: boolean
  /** The origin knows it no longer. */
  isGone: boolean
  /** Monotonic. */
  usedAt: number
  /** Its client has ended the session in which it was opened. */
  hasLeft: boolean
  /** Tasks that work in it, and until when each of them counts; monotonic. */
  readonly tasks: Map<string, number>
}

export function createOriginSessionMemory(
  clock: Clock,
  { max, perOriginMax, perOwnerMax, idleMs }: OriginSessionBounds = ORIGIN_SESSION_BOUNDS,
): OriginSessionMemory {
  const members = new Map<string, Member>()
  /** Those that can be taken. The longest unused one is first. */
  const byKey = new Map<string, Kept>()
  /** These, and the retired ones that are still held. */
  const bySerial = new Map<string, Kept>()
  /** Those with tasks. */
  const withTasks = new Set<Kept>()
  let last = 0

  function works(kept: Kept): boolean {
    for (const [task, until] of kept.tasks) if (until <= clock.monotonic()) kept.tasks.delete(task)
    if (kept.tasks.size === 0) withTasks.delete(kept)
    return kept.tasks.size > 0
  }

  /** Retires a session whose client has left, once it is open and no task works in it. */
  function settle(kept: Kept): void {
    if (kept.hasLeft && kept.session !== null && !kept.isRetired && !works(kept)) retire(kept)
  }

  function touch(kept: Kept): void {
    kept.usedAt = clock.monotonic()
    const name = nameOf(kept.key)
    byKey.delete(name)
    byKey.set(name, kept)
  }

  function heldBy(member: Member, kept: Kept, session: PooledSession): TakenSession {
    kept.holders.add(member)
    return { kind: 'session', session }
  }

  function forget(kept: Kept): void {
    withTasks.delete(kept)
    bySerial.delete(kept.serial)
    if (byKey.get(nameOf(kept.key)) === kept) byKey.delete(nameOf(kept.key))
  }

  /** Nobody takes it any more. One that nobody holds is given to some member to end it. */
  function retire(kept: Kept): void {
    kept.isRetired = true
    withTasks.delete(kept)
    byKey.delete(nameOf(kept.key))
    const [first] = members.values()
    if (kept.holders.size === 0 && !kept.isGone && first !== undefined) kept.holders.add(first)
    if (kept.holders.size === 0) bySerial.delete(kept.serial)
    for (const holder of [...kept.holders]) holder.retired(kept.session!)
  }

  /**
   * Retires the longest idle session to make room; those with running tasks last. At a bound that clients share, the client
   * with the most sessions loses one. False if all of them are still being opened.
   */
  function makeRoom(key: SessionKey): boolean {
    const ofOrigin = [...byKey.values()].filter(({ key: { origin } }) => origin === key.origin)
    const ofOwner = ofOrigin.filter(({ key: { owner } }) => owner === key.owner)
    for (const [all, bound] of [
      [ofOwner, perOwnerMax],
      [ofOrigin, perOriginMax],
      [[...byKey.values()], max],
    ] as const) {
      const counted = all.filter(({ isRetired }) => !isRetired)
      if (counted.length < bound) continue
      const unused = surplusOf(counted, key.ownerClient)
      if (unused === undefined) return false
      retire(unused)
    }
    return true
  }

  /** The session that makes room for one more of a client, which takes none from a client that has fewer. */
  function surplusOf(all: readonly Kept[], newcomer: string): Kept | undefined {
    const byClient = Map.groupBy(all, ({ key }) => key.ownerClient)
    const most = [...byClient].sort(
      ([one, { length: a }], [other, { length: b }]) =>
        b + Number(other === newcomer) - (a + Number(one === newcomer)) ||
        Number(other === newcomer) - Number(one === newcomer),
    )
    for (const [client, own] of most) {
      const open = own.filter(({ session }) => session !== null)
      const unused = open.find((kept) => !works(kept)) ?? open[0]
      if (unused !== undefined || client === newcomer) return unused
    }
    return undefined
  }

  function begin(member: Member, key: SessionKey): TakenSession {
    if (!makeRoom(key)) return { kind: 'failed', reason: 'too many sessions are being opened there' }
    const kept: Kept = {
      serial: String(++last),
      key,
      session: null,
      opener: member,
      waiting: [],
      holders: new Set(),
      isRetired: false,
      isGone: false,
      usedAt: clock.monotonic(),
      hasLeft: false,
      tasks: new Map(),
    }
    byKey.set(nameOf(key), kept)
    bySerial.set(kept.serial, kept)
    return { kind: 'open', serial: kept.serial }
  }

  /** The session that the member was told to open; none when another one opens it since. */
  function openedBy(member: Member, serial: string): Kept | undefined {
    const kept = bySerial.get(serial)
    return kept?.session === null && kept.opener === member ? kept : undefined
  }

  function poolOf(member: Member): OriginSessionPool {
    return {
      take(key) {
        const known = byKey.get(nameOf(key))
        if (known === undefined) return begin(member, key)
        if (known.session !== null) {
          touch(known)
          return heldBy(member, known, known.session)
        }
        return new Promise((resolve) => known.waiting.push({ member, resolve }))
      },
      opened(serial, id) {
        const kept = openedBy(member, serial)
        if (kept === undefined) return
        const session = { serial, key: kept.key, id }
        kept.session = session
        kept.holders.add(member)
        touch(kept)
        for (const { member: other, resolve } of kept.waiting.splice(0)) resolve(heldBy(other, kept, session))
        settle(kept)
      },
      failed(serial, reason) {
        const kept = openedBy(member, serial)
        if (kept === undefined) return
        forget(kept)
        for (const { resolve } of kept.waiting) resolve({ kind: 'failed', reason })
      },
      used(serial) {
        const kept = bySerial.get(serial)
        if (kept !== undefined && !kept.isRetired) touch(kept)
      },
      taskBegan(serial, task, ms) {
        const kept = bySerial.get(serial)
        if (kept === undefined || kept.isRetired || kept.tasks.size >= TASKS_MAX) return
        kept.tasks.set(task, clock.monotonic() + ms)
        withTasks.add(kept)
      },
      taskEnded(origin, session, task) {
        for (const kept of withTasks) {
          if (kept.session?.id !== session || kept.key.origin !== origin || !kept.tasks.delete(task)) continue
          settle(kept)
          return
        }
      },
      clientLeft(client) {
        if (client === '') return
        for (const kept of [...bySerial.values()]) {
          if (kept.key.client !== client) continue
          kept.hasLeft = true
          settle(kept)
        }
      },
      gone(serial) {
        const kept = bySerial.get(serial)
        if (kept === undefined || kept.session === null) return
        kept.isGone = true
        kept.holders.delete(member)
        if (!kept.isRetired) retire(kept)
        else if (kept.holders.size === 0) bySerial.delete(serial)
      },
      release(serial) {
        const kept = bySerial.get(serial)
        if (kept === undefined || !kept.holders.delete(member) || kept.holders.size > 0) return false
        forget(kept)
        return !kept.isGone
      },
      onRetired(listener) {
        member.retired = listener
      },
    }
  }

  return {
    join(name) {
      const member: Member = { name, retired() {} }
      members.set(name, member)
      return poolOf(member)
    },
    leave(name) {
      const member = members.get(name)
      if (member === undefined) return
      members.delete(name)
      for (const kept of [...bySerial.values()]) {
        kept.holders.delete(member)
        const others = kept.waiting.filter((one) => one.member !== member)
        kept.waiting.splice(0, kept.waiting.length, ...others)
        if (kept.session === null && kept.opener === member) {
          const next = kept.waiting.shift()
          if (next === undefined) forget(kept)
          else {
            kept.opener = next.member
            next.resolve({ kind: 'open', serial: kept.serial })
          }
        } else if (kept.isRetired && kept.holders.size === 0) retire(kept)
      }
    },
    sweep() {
      const before = clock.monotonic() - idleMs
      for (const kept of [...byKey.values()]) {
        settle(kept)
        if (kept.session !== null && !kept.isRetired && kept.usedAt <= before && !works(kept)) retire(kept)
      }
    },
  }
}

function nameOf({ origin, reach, holder }: SessionKey): string {
  return `${origin} ${reach} ${holder}`
}
