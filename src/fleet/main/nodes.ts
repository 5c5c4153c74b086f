/**
 * This node among the others on its database.
 * 1. A node that enters serves only once every live node counts it. Limits are divided by that count.
 * 2. A node acknowledges a revision once its threads have it and it is on disk. A change that a node has not acknowledged is pending,
 *    and names the node: also one that is silent, until it is removed or has lost its contact for longer than it may serve without.
 * 3. A silent node is not counted after {@link LIVE_MS}. While the database cannot be reached, a node goes on with what it knew.
 * 4. A node that enters again is checked after its row is there: whoever changes what is checked sees the row, or is seen.
 * 5. Notices are hints. What they tell is read with each heartbeat too, so that one that is lost costs time alone.
 */
import type { Clock } from '../../base/clock.ts'
import {
  type Heartbeat,
  type Held,
  LIVE_MS,
  type NodeFacts,
  type NodeIdentity,
  type NodeRow,
  type NodeTable,
  type NoticeConnection,
} from '../../store/ports/nodes.ts'
import { StoreUnavailable } from '../../store/ports/unavailable.ts'
import { type Moment, momentOf } from '../shared/contact.ts'
import { createConditions } from './conditions.ts'
import type { NodeEvents } from './node-events.ts'

/** How often a node writes its row, milliseconds. */
export const HEARTBEAT_MS = 2000
/** How long a change waits for the other nodes, milliseconds. */
const ACKNOWLEDGE_MS = 1000
/** How long a node that enters waits until the others count it: one that stopped a moment ago is not live any more then. */
const ENTER_MS = LIVE_MS + 2 * HEARTBEAT_MS
/** How often rows are read while somebody waits for them, milliseconds. */
const LOOK_MS = 200
/** A clock that differs from that of the database by more is warned of, milliseconds. */
const SKEW_MS = 2000
/** For clocks that go at different speeds, milliseconds. */
const FENCE_MARGIN_MS = 5000
/** Heartbeats until the connection for notices is looked at. */
const BEATS_PER_LOOK = 3

/** The node of this process, and the others. */
export interface Nodes {
  /** Enters, and resolves once every live node counts this one. Where the database cannot be used, a later heartbeat enters. */
  enter(): Promise<void>
  /** Has heartbeats tell what is measured; until then they tell of nothing that waits. */
  report(measure: () => Measured): void
  /**
   * Told when another node may have committed a revision, and with each heartbeat.
   * @param revised resolves with whether everything that was committed before the call is in force; never rejects
   */
  watch(revised: () => Promise<boolean>): void
  /**
   * Has each later entrance checked, as that of a node that was removed and is alive.
   * @param check why this node may not be among the others; null where it may
   * @param excluded called with that reason, when this node has left for good
   */
  guard(check: () => Promise<string | null>, excluded: (why: string) => void): void
  /** Has what other nodes tell taken. */
  hear(events: Pick<NodeEvents, 'committed' | 'catchUp'>): void
  /** Writes the heartbeat and reads those of the others. To be called every {@link HEARTBEAT_MS}. */
  beat(): Promise<void>
  /** This process; epoch 0 while it is not among the nodes. */
  identity(): NodeIdentity
  /** This node has a revision, or ends of grants up to a number, in force. Never rejects. */
  acknowledge(what: keyof Held, number: number): Promise<void>
  /** Names of the nodes that have not acknowledged that in time. Never rejects. */
  missing(what: keyof Held, number: number): Promise<readonly string[]>
  /** Has the others look for what was committed without a revision. Never rejects. */
  wake(): Promise<void>
  /** Ids of this node and of the nodes that are counted, this one included. */
  group(): { readonly self: string; readonly live: readonly string[] }
  /** Names of other nodes that have not been removed. */
  others(): readonly string[]
  /** All nodes as they are now. @see self id of this one @see now the clock of the database, milliseconds since the epoch */
  read(): Promise<{ readonly rows: readonly NodeRow[]; readonly self: string; readonly now: number }>
  /** @returns false where there is no such node */
  drain(id: string, isDraining: boolean): Promise<boolean>
  /** Likewise. */
  remove(id: string): Promise<boolean>
  /** Leaves, so that nobody waits for this node. */
  leave(): Promise<void>
}

/** What a process measures of itself. */
type Measured = Omit<NodeFacts, 'version' | 'skewMs' | 'staleMaxMs'>

export interface NodesParts {
  readonly table: NodeTable
  /** Id that the data directory keeps. */
  readonly id: string
  /** Another id for this data directory, which is a copy of one that is in use. */
  readonly drawId: () => string
  readonly name: string
  /** See {@link NodeTable.join}. */
  readonly place: string
  readonly clock: Clock
  /** Of the program. */
  readonly version: string
  /** How many nodes are counted, this one included. Called before the others hear that this node counts them. */
  readonly counted: (count: number) => void
  /** With each reading: how many nodes are silent, and the clock of this machine minus that of the database, milliseconds. */
  readonly seen: (silent: number, skewMs: number) => void
  readonly drained: (isDraining: boolean) => void
  /** Everything that was committed at that moment is in force here. */
  readonly inContact: (since: Moment) => void
  /** For how long this node serves without such a contact, milliseconds; null: without a bound. */
  readonly staleMaxMs: number | null
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** For tests. */
  readonly acknowledgeMs?: number
}

export function createNodes(parts: NodesParts): Nodes {
  const { table, name, place, clock, log, acknowledgeMs = ACKNOWLEDGE_MS } = parts
  let { id } = parts
  let epoch = 0
  let isEntering = false
  let isUnchecked = false
  let check = async (): Promise<string | null> => null
  let excluded = (_why: string): void => {}
  let revised = async (): Promise<boolean> => false
  let events: Pick<NodeEvents, 'committed' | 'catchUp'> = { committed() {}, catchUp: async () => {} }
  let measured = (): Measured => ({ recordsWaiting: 0 })
  let rows: readonly NodeRow[] = []
  /** Ids of live nodes, this one included, in order. */
  let counted: readonly string[] = [id]
  let held: Held = { revision: 0, ended: 0 }
  let skewMs: number | null = null
  let isSkewTold = false
  let isDraining = false
  let hasLeft = false
  let beats = 0
  let notices: NoticeConnection | null = null
  let isListening = false
  let reading: Promise<void> | null = null
  let isWanted = false
  let isCatchingUp = false
  const { changed, until } = createConditions()

  const heartbeat = (isNews: boolean): Heartbeat => ({
    facts: { version: parts.version, ...measured(), skewMs, staleMaxMs: parts.staleMaxMs },
    held,
    counted,
    isNews,
  })

  async function catchUp(since: Moment): Promise<void> {
    if (isCatchingUp) return
    isCatchingUp = true
    try {
      if (await revised()) parts.inContact(since)
    } finally {
      isCatchingUp = false
    }
  }

  const others = (): readonly NodeRow[] => rows.filter((row) => row.id !== id)

  /** Reads all rows, and counts the nodes that are live. Tells the others where that has changed. */
  async function read(): Promise<void> {
    const begun = clock.now()
    const { rows: all, now } = await table.all()
    skewMs = Math.round((begun + clock.now()) / 2 - now)
    const before = new Map(others().map((row) => [row.id, row]))
    rows = all
    tell(before)
    parts.seen(others().filter((row) => !isLive(row)).length, skewMs)
    const own = all.find((row) => row.id === id)
    if (own !== undefined && own.epoch === epoch && own.isDraining !== isDraining) {
      isDraining = own.isDraining
      parts.drained(isDraining)
      log(
        'info',
        isDraining ? 'This node is draining: it is not ready for requests.' : 'This node is ready again.',
      )
    }
    const live = [
      id,
      ...others()
        .filter(isLive)
        .map((row) => row.id),
    ].toSorted()
    if (live.join() !== counted.join()) {
      counted = live
      parts.counted(live.length)
      await table.beat({ id, epoch }, heartbeat(true))
    }
    changed()
  }

  function tell(before: ReadonlyMap<string, NodeRow>): void {
    for (const row of others()) {
      const known = before.get(row.id)
      if (known === undefined || known.epoch !== row.epoch) log('info', `Node ${row.name} has joined.`)
      else if (isLive(known) && !isLive(row))
        log(
          'warn',
          `Node ${row.name} is silent. Changes are pending for it until it is back, or removed with postern nodes remove.`,
        )
      else if (!isLive(known) && isLive(row)) log('info', `Node ${row.name} is back.`)
    }
    const there = new Set(rows.map((row) => row.id))
    for (const row of before.values()) if (!there.has(row.id)) log('info', `Node ${row.name} has left.`)
    const isSkewed = skewMs !== null && Math.abs(skewMs) > SKEW_MS
    if (isSkewed && !isSkewTold)
      log(
        'warn',
        `The clock of this machine differs from that of the database by ${skewMs} ms. Set both by NTP.`,
      )
    isSkewTold = isSkewed
  }

  /** One read at a time; who asks during one gets the next. */
  async function refresh(): Promise<void> {
    if (reading !== null) {
      isWanted = true
      return reading
    }
    reading = (async () => {
      do {
        isWanted = false
        await read()
      } while (isWanted && !hasLeft)
    })().finally(() => {
      reading = null
    })
    return reading
  }

  /** Where the database cannot be used, the next heartbeat reads again. */
  const refreshQuietly = (): Promise<void> =>
    hasLeft || epoch === 0 ? Promise.resolve() : refresh().catch(() => {})

  async function join(): Promise<void> {
    for (;;) {
      const joined = await table.join(id, name, place, heartbeat(true))
      if (joined !== null) {
        epoch = joined
        return
      }
      log(
        'warn',
        `Another node has the id ${id}: this data directory is a copy of its own. This node draws a new id.`,
      )
      id = parts.drawId()
      counted = [id]
      parts.counted(1)
    }
  }

  async function listen(): Promise<void> {
    if (isListening || hasLeft) return
    isListening = true
    let opened: NoticeConnection | null = null
    try {
      opened = await table.listen(
        {
          revision: () => others().length > 0 && void revised(),
          nodes: () => void refreshQuietly(),
          event: (row) => events.committed(row),
        },
        () => {
          notices = null
          isListening = false
          void opened?.close().catch(() => {})
        },
      )
      // It may have ended already
      if (isListening) notices = opened
      else await opened.close()
      // Read what was committed before this connection listened
      void revised()
      if (hasLeft) await opened.close()
    } catch {
      isListening = false
    }
  }

  /** False where this node may not be among the others: it has left then. */
  async function enterAgain(): Promise<boolean> {
    isUnchecked = true
    if (epoch === 0 || !(await table.beat({ id, epoch }, heartbeat(false)))) await join()
    const why = await check()
    isUnchecked = false
    if (why === null) return true
    await leave()
    excluded(why)
    return false
  }

  async function leave(): Promise<void> {
    hasLeft = true
    await reading?.catch(() => {})
    await notices?.close().catch(() => {})
    // Without it, the others wait for this node until they find it silent
    if (epoch !== 0) await table.remove(id, epoch).catch(() => {})
  }

  return {
    async read() {
      const all = await table.all()
      return { ...all, self: id }
    },
    report(measure) {
      measured = measure
    },
    guard(its, told) {
      check = its
      excluded = told
    },
    hear(listener) {
      events = listener
    },
    watch(listener) {
      revised = listener
    },
    identity: () => ({ id, epoch }),
    async enter() {
      isEntering = true
      const begun = momentOf(clock)
      try {
        await join()
        await listen()
        await refresh()
        // The start reads the configuration that it serves after this moment
        parts.inContact(begun)
      } catch (error) {
        if (error instanceof StoreUnavailable) return
        throw error
      }
      const isCounted = await waitFor(
        () => others().every((row) => !isLive(row) || row.counted.includes(id)),
        ENTER_MS,
      )
      if (!isCounted)
        log('warn', 'Not every node has counted this one in time. Limits may be exceeded for some seconds.')
    },
    async beat() {
      if (hasLeft || !isEntering) return
      const begun = momentOf(clock)
      beats++
      const isThere = epoch !== 0 && !isUnchecked && (await table.beat({ id, epoch }, heartbeat(false)))
      if (!isThere) {
        if (epoch !== 0 && !isUnchecked) log('warn', 'This node was removed, and enters again.')
        if (!(await enterAgain())) return
      }
      if (!isListening) await listen()
      else if (beats % BEATS_PER_LOOK === 0) await notices?.look()
      await refresh()
      // Not waited for: a heartbeat must not be late because threads are
      void catchUp(begun)
      await events.catchUp()
    },
    async acknowledge(what, number) {
      if (number <= held[what]) return
      held = { ...held, [what]: number }
      // Alone, nobody waits for it: the next heartbeat tells it
      if (epoch === 0 || others().length === 0) return
      // Likewise where it cannot be written
      await table.acknowledge({ id, epoch }, held).catch(() => {})
    },
    async wake() {
      if (others().length > 0) await table.wake().catch(() => {})
    },
    async missing(what, number) {
      const behind = (): readonly NodeRow[] =>
        others().filter((row) => row.held[what] < number && !isFenced(row))
      await waitFor(() => !behind().some(isLive), acknowledgeMs)
      return behind().map((row) => row.name)
    },
    group: () => ({ self: id, live: counted }),
    others: () => others().map((row) => row.name),
    async drain(node, draining) {
      const isThere = await table.drain(node, draining)
      await refresh()
      return isThere
    },
    async remove(node) {
      const isThere = await table.remove(node, null)
      await refresh()
      return isThere
    },
    leave,
  }

  /** Whether something about the rows holds in time. They are read again and again, should notices not arrive. */
  async function waitFor(holds: () => boolean, ms: number): Promise<boolean> {
    if (holds()) return true
    const timer = setInterval(() => void refreshQuietly(), LOOK_MS)
    try {
      return await until(holds, ms)
    } finally {
      clearInterval(timer)
    }
  }
}

/** A node that was not heard of for so long serves nothing: see {@link NodeFacts.staleMaxMs}. */
function isFenced({ silentMs, facts: { staleMaxMs } }: NodeRow): boolean {
  return staleMaxMs !== null && silentMs > staleMaxMs + FENCE_MARGIN_MS
}

function isLive({ silentMs }: NodeRow): boolean {
  return silentMs < LIVE_MS
}
