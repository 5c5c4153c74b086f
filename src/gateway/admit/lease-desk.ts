/**
 * Fetches leases from Valkey for all gateway threads of a process; see leases.ts. One thread of the process runs it.
 *
 * 1. All that is asked for while a question is under way goes with the next one.
 * 2. An answer that is missing after {@link DEADLINE_MS} ends the use of Valkey: each node admits its part from then on, and no request
 *    waits. The desk tries again in its own time.
 * 3. When Valkey may have lost data, the desk pushes what this node has counted, and the node admits its part until the others had time
 *    to do the same.
 */
import type { Clock } from '../../base/clock.ts'
import { slotMsOf } from '../../snapshot/find/limit-plan.ts'
import type { CounterTables } from './counter-memory.ts'
import {
  BUCKET,
  type CounterTable,
  ENTRY_FLOATS,
  ENTRY_WORDS,
  IN_FLIGHT,
  LATEST,
  OLDEST,
  RATE,
  ROLLING,
  TOTAL,
} from './counter-table.ts'
import type { LeaseScript } from './lease-scripts.ts'
import {
  type Grant,
  leasedLimit,
  lifeOf,
  putGrant,
  storedBurst,
  type WantedLease,
  wantedLease,
  wasLeased,
} from './leases.ts'
import { STRIPES } from './stripe-locks.ts'

/** How long a request may wait for Valkey, milliseconds. */
const DEADLINE_MS = 50
/** How long a push may take: it is not waited for. */
const PUSH_DEADLINE_MS = 1000
/** After a loss of data all nodes push within this time, milliseconds. */
const PUSHED_AFTER_MS = 2000
/** Counters in one question, and in one push. */
const BATCH_MAX = 500
/** Places are renewed after so long, well before they lapse, milliseconds. */
const RENEW_MS = 3000
/** How long the desk sleeps where nothing is asked. */
const IDLE_MS = 1000
/** A server that can be reached and refuses calls is tried again after this, and then after twice as long each time, milliseconds. */
const REFUSED_MS = 1000
const REFUSED_MS_MAX = 60_000

interface Call {
  readonly script: LeaseScript
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
}

/** The connection to Valkey, as `store/ports/valkey.ts` describes it. */
interface LeaseServer {
  run(calls: readonly Call[], deadlineMs: number): Promise<readonly (readonly (number | string)[])[]>
  readonly isUp: boolean
  readonly era: string
}

/** A counter, and where in its table it is. */
interface CounterRef {
  readonly table: CounterTable
  readonly bit: number
  readonly entry: number
  readonly low: number
  readonly high: number
}

interface Asked extends CounterRef {
  readonly lease: WantedLease
}

export interface LeaseDesk {
  /** Answers everything that is asked for now. Resolves when it has; never rejects. */
  serve(): Promise<void>
  /** What is due: renews and returns places, and begins again after a loss. Never rejects. */
  tick(): Promise<void>
  /** Does both until it is closed. */
  run(): Promise<void>
  close(): void
}

export interface LeaseDeskOptions {
  readonly tables: CounterTables
  readonly valkey: LeaseServer
  readonly clock: Pick<Clock, 'now'>
  /** Names this process among all that use the installation. */
  readonly node: string
  /** Of the installation: other installations may use the same server. */
  readonly installation: string
  /** For scripts of tests: the time of the server, milliseconds; 0 lets the server tell it. */
  readonly serverTime?: () => number
  /** Told whenever limits begin or end to be counted in Valkey. */
  readonly changed?: (isUp: boolean) => void
  readonly fault: (error: unknown) => void
}

export function createLeaseDesk(options: LeaseDeskOptions): LeaseDesk {
  const {
    tables,
    valkey,
    clock,
    node,
    installation,
    serverTime = () => 0,
    changed = () => {},
    fault,
  } = options
  const { cells } = tables
  const byBit = [tables.table, tables.keyed] as const
  /** Concurrency limits of which this node has places. */
  const places = new Map<string, CounterRef & { renewAt: number; idleSince: number }>()
  let isOpen = true
  /** Of Valkey when leases were last in use. */
  let usedEra: string | null = null
  /** Of leases whose counters Valkey is to be told of, because it may have lost them; null where there are none. */
  let lostEra: number | null = null
  /** Of Valkey when it was told. */
  let toldEra: string | null = null
  /** When leases may be used again at the earliest. */
  let upAt = Number.NEGATIVE_INFINITY
  /** Refusals in a row. */
  let refusals = 0
  let ticking: Promise<void> | null = null
  /** As far as this desk knows: gateway threads end the use of Valkey too, where nothing answers them. */
  let wasUp = false

  const refOf = (bit: number, entry: number): CounterRef => {
    const table = byBit[bit]!
    return { table, bit, entry, ...table.keyOf(entry) }
  }
  const keyOf = ({ bit, low, high }: CounterRef, letter: string): string =>
    `pst:{${installation}:${bit === 0 ? '' : 'k'}${(low >>> 0).toString(16)}${(high >>> 0).toString(16).padStart(8, '0')}}:${letter}`

  /** Runs `work` under the lock of a counter, where it still is the same one. */
  function locked<T>(place: CounterRef, work: () => T): T | null {
    const { table, entry, low, high } = place
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return null
    try {
      const key = table.keyOf(entry)
      return key.low === low && key.high === high ? work() : null
    } finally {
      table.stripes.unlock(stripe)
    }
  }

  function callOf(asked: Asked): Call {
    const { lease, table, entry } = asked
    const { max, burst, windowMs, cost, want, lifeMs, back, backSlot, held } = lease
    const nodes = tables.nodes
    switch (table.kindOf(entry)) {
      case IN_FLIGHT:
        return {
          script: 'places',
          keys: [keyOf(asked, 'c')],
          args: [serverTime(), node, lifeMs, max, cost, Math.max(want, held), held, nodes],
        }
      case BUCKET:
        return {
          script: 'bucket',
          keys: [keyOf(asked, 'b')],
          args: [
            serverTime(),
            windowMs,
            max,
            Math.max(cost, storedBurst(max, burst, windowMs, lifeMs)),
            cost,
            want,
            nodes,
            back,
            backSlot,
          ],
        }
      default:
        return {
          script: 'window',
          keys: [keyOf(asked, 'r')],
          args: [serverTime(), slotMsOf(windowMs), windowMs, lifeMs, max, cost, want, nodes, back, backSlot],
        }
    }
  }

  async function grant(counters: readonly CounterRef[], isRenewal = false): Promise<void> {
    const era = cells.era
    const sentAt = clock.now()
    const asked: Asked[] = []
    for (const place of counters) {
      const lease = locked(place, () =>
        wantedLease(place.table, place.entry, era, tables.nodes, sentAt, isRenewal),
      )
      if (lease !== null) asked.push({ ...place, lease })
    }
    if (asked.length === 0) return
    let answers: Awaited<ReturnType<LeaseServer['run']>>
    try {
      answers = await valkey.run(asked.map(callOf), DEADLINE_MS)
    } catch (error) {
      lose(error)
      return
    }
    refusals = 0
    for (const [index, one] of asked.entries()) {
      const [units, free, waitMs, slot] = answers[index]!.map(Number) as [number, number, number, number]
      const given: Grant = { units, free, waitMs, slot }
      locked(one, () => putGrant(one.table, one.entry, era, one.lease, given, sentAt, clock.now()))
      if (one.lease.windowMs === 0) notePlaces(one, Math.max(units, one.lease.held), sentAt)
    }
  }

  /** @param counted what Valkey counts for this node, also where less was granted */
  function notePlaces(place: CounterRef, counted: number, sentAt: number): void {
    const key = keyOf(place, 'c')
    if (counted === 0) places.delete(key)
    else {
      const idleSince = places.get(key)?.idleSince ?? sentAt
      const { table, bit, entry, low, high } = place
      places.set(key, { table, bit, entry, low, high, renewAt: sentAt + RENEW_MS, idleSince })
    }
  }

  function lose(error: unknown): void {
    if (!cells.isUp) return
    cells.setState('down')
    wasUp = false
    changed(false)
    fault(error)
    if (!valkey.isUp) return
    upAt = clock.now() + Math.min(REFUSED_MS_MAX, REFUSED_MS * 2 ** refusals)
    refusals++
  }

  async function serve(): Promise<void> {
    for (;;) {
      const counters = cells.take(BATCH_MAX).map((counter) => refOf(counter & 1, counter >> 1))
      if (counters.length === 0) return
      if (cells.isUp) await grant(counters)
      cells.tellGranted()
    }
  }

  /** One at a time: the connection may change while one waits for its answers. */
  function tick(): Promise<void> {
    ticking ??= (cells.isUp ? renew() : begin()).finally(() => {
      ticking = null
    })
    return ticking
  }

  async function renew(): Promise<void> {
    if (!valkey.isUp || valkey.era !== usedEra) return lose(new Error('the connection to Valkey was lost'))
    const now = clock.now()
    const due: CounterRef[] = []
    for (const [key, place] of places) {
      const isIdle = locked(place, () => place.table.words[place.entry * ENTRY_WORDS + TOTAL] === 0)
      if (isIdle === null) places.delete(key)
      else if (isIdle !== true) place.idleSince = now
      if (isIdle !== null && (place.renewAt <= now || (isIdle && now - place.idleSince >= IDLE_MS)))
        due.push(place)
    }
    for (let at = 0; at < due.length; at += BATCH_MAX) await grant(due.slice(at, at + BATCH_MAX), true)
  }

  /** Uses Valkey again, once it can be reached and knows what was counted. */
  async function begin(): Promise<void> {
    if (wasUp) {
      wasUp = false
      changed(false)
      fault(new Error('this process did not answer its own requests in time'))
    }
    if (cells.state === 'off' || !valkey.isUp) return
    const { era } = valkey
    if (usedEra !== null && usedEra !== era && lostEra === null) {
      lostEra = cells.era
      cells.endEra()
      places.clear()
    }
    if (lostEra !== null && toldEra !== era) {
      // Others may have noticed later
      upAt = clock.now() + PUSHED_AFTER_MS
      try {
        await push(lostEra)
      } catch (error) {
        fault(error)
        return
      }
      toldEra = era
    }
    if (clock.now() < upAt || valkey.era !== era) return
    usedEra = era
    lostEra = null
    toldEra = null
    wasUp = true
    cells.setState('up')
    changed(true)
  }

  /** Tells Valkey what this node has counted of everything that was leased in an era. */
  async function push(era: number): Promise<void> {
    let calls: Call[] = []
    for (const [bit, table] of byBit.entries()) {
      for (let stripe = 0; stripe < STRIPES; stripe++) {
        const { from, to } = table.rangeOf(stripe)
        if (!table.stripes.lock(1 << stripe)) throw new Error('a thread holds the lock of counters')
        try {
          for (let entry = from; entry < to; entry++) {
            const call = wasLeased(table, entry, era) ? pushOf(refOf(bit, entry)) : null
            if (call !== null) calls.push(call)
          }
        } finally {
          table.stripes.unlock(1 << stripe)
        }
        for (; calls.length >= BATCH_MAX; calls = calls.slice(BATCH_MAX))
          await valkey.run(calls.slice(0, BATCH_MAX), PUSH_DEADLINE_MS)
      }
    }
    if (calls.length > 0) await valkey.run(calls, PUSH_DEADLINE_MS)
  }

  function pushOf(place: CounterRef): Call | null {
    const { table, entry } = place
    const { floats, words } = table
    const total = words[entry * ENTRY_WORDS + TOTAL]!
    const { max, burst, windowMs, cost, isExact } = leasedLimit(table, entry)
    const lifeMs = lifeOf({ max, burst, windowMs, cost, isExact })
    switch (table.kindOf(entry)) {
      case IN_FLIGHT:
        if (total <= 0) return null
        return {
          script: 'places',
          keys: [keyOf(place, 'c')],
          args: [serverTime(), node, lifeMs, max, cost, total, total, tables.nodes],
        }
      case BUCKET: {
        const debt = floats[entry * ENTRY_FLOATS + OLDEST]!
        if (debt <= 0) return null
        return { script: 'bucket_push', keys: [keyOf(place, 'b')], args: [serverTime(), max, debt] }
      }
      case RATE:
      case ROLLING: {
        if (total <= 0) return null
        const slotMs = slotMsOf(windowMs)
        // As grants count: in the slot in which their life ends
        const later = Math.ceil(lifeMs / slotMs)
        const args: number[] = [serverTime(), slotMs, windowMs]
        const latest = floats[entry * ENTRY_FLOATS + LATEST]!
        for (let slot = floats[entry * ENTRY_FLOATS + OLDEST]!; slot <= latest; slot++) {
          const count = words[table.cellOf(entry, slot)]!
          if (count > 0) args.push(slot + later, count)
        }
        return args.length === 3 ? null : { script: 'window_push', keys: [keyOf(place, 'r')], args }
      }
      default:
        return null
    }
  }

  return {
    serve,
    tick,
    async run() {
      let next = clock.now() + IDLE_MS
      await tick()
      while (isOpen) {
        const seen = cells.pushed
        await serve()
        if (clock.now() >= next) {
          await tick()
          next = clock.now() + IDLE_MS
        }
        if (cells.pushed === seen) await cells.untilPushed(seen, Math.max(1, next - clock.now()))
      }
    },
    close() {
      isOpen = false
    },
  }
}
