/**
 * Calendar quotas that several nodes count together. Each node has a share: what it may admit until the next exchange with the others.
 *
 * 1. A share comes out of what is free: what the limit admits, less what all nodes have counted, less the shares of the others. Exchanges
 *    are one at a time, so that no two nodes give away the same rest.
 * 2. Of the share of another node, the cost of one request is taken to be free, so that a quota can be used up at any one node. All nodes
 *    together so admit at most (nodes - 1) requests more than the limit, whichever of them are cut off or stop.
 * 3. A node that has not told of a counter yet may have admitted its part of the limit there: that is its first share.
 * 4. A share is lowered here before the others read that it is lower, and raised after they can read that it is higher.
 * 5. The shares of nodes that are not counted any more are free. Such a node may still admit the rest of its share, if it lives.
 */
import { partOf } from '../../snapshot/find/limit-plan.ts'
import {
  type CounterTable,
  ENTRY_FLOATS,
  ENTRY_WORDS,
  EXPIRES,
  LATEST,
  QUOTA,
  QUOTA_COST,
  QUOTA_MAX,
} from './counter-table.ts'
import { NOBODY } from './entry-shares.ts'
import { enterPeriod, periodsOf, setCap, setOthers, sharedPeriod } from './periods.ts'
import { nameOf, QUOTA_KEY, type QuotaCount, wordOf } from './persisted-quotas.ts'

/** A share that differs by less than this part of it stays: else every call at one node would have all others write. */
const STEP = 1 / 8

/** What a node has counted of a calendar quota, and what it may count beyond that. */
export interface NodeCount extends QuotaCount {
  /** Of the limit; 0 while it is not known. */
  readonly max: number
  readonly cost: number
  readonly share: number
}

export interface OtherNodeCount extends NodeCount {
  readonly node: string
}

/** What nodes know of one counter in one period. */
interface SharedCount {
  /** Of the limit. */
  readonly max: number
  readonly cost: number
  /** By all nodes. */
  readonly counted: number
  /** Shares of the other nodes. */
  readonly shares: readonly number[]
  /** Other nodes that have not told of the counter. */
  readonly silent: number
  readonly nodes: number
}

/** The share of a node. */
function shareOf({ max, cost, counted, shares, silent, nodes }: SharedCount): number {
  const beyondOne = (share: number): number => Math.max(0, share - cost)
  const reserved = shares.reduce((sum, share) => sum + beyondOne(share), 0)
  const free = max - counted - reserved - silent * beyondOne(partOf(max, nodes, cost))
  // Something is left for a node that enters
  return free < cost ? 0 : Math.max(cost, Math.ceil(free / Math.max(2, nodes)))
}

/** What the node may still admit of its share in the current period. */
function shareLeft(table: CounterTable, entry: number, max: number, cost: number, nodes: number): number {
  const { own, cap } = sharedPeriod(table, entry)
  return (cap ?? partOf(max, nodes, cost)) - own
}

/**
 * What this node may still admit of a quota that several nodes count. Less than `cost` means that the quota, or the share of this node, is used up.
 * @param whole what is left of the limit
 */
export function quotaLeft(
  table: CounterTable,
  entry: number,
  limit: { readonly max: number; readonly cost: number },
  nodes: number,
  whole: number,
): number {
  const { max, cost } = limit
  const share = shareLeft(table, entry, max, cost, nodes)
  return share < cost ? Math.min(share, whole) : whole
}

/** What a node counted of a quota, and what that may come to. The counter was brought to now. */
export function ownOf(
  table: CounterTable,
  entry: number,
  { max, cost }: { readonly max: number; readonly cost: number },
  nodes: number,
): { readonly own: number; readonly ownMax: number } {
  const { own, cap } = sharedPeriod(table, entry)
  return { own, ownMax: nodes === 1 ? max : (cap ?? partOf(max, nodes, cost)) }
}

/** Rows of one counter in one period. */
interface Group {
  readonly own: QuotaCount | null
  readonly others: OtherNodeCount[]
}

/**
 * Notes what other nodes have counted, and lowers the share of this node where it must be lower.
 * @param rows what this node has counted, as `exportQuotas` gave it, all of calendar quotas
 * @param others rows of other nodes: all of the counters of `rows`, and all of any other counter that they are of
 * @param live ids of the other nodes that are counted; null for nothing but to note the counts
 * @returns rows to store. Those of `rows` that are missing could not be looked at now, and are to be given again
 */
export function shareQuotas(
  table: CounterTable,
  rows: readonly QuotaCount[],
  others: readonly OtherNodeCount[],
  live: ReadonlySet<string> | null,
  now: number,
): NodeCount[] {
  const settled: NodeCount[] = []
  for (const group of groupsOf(rows, others)) {
    const row = settle(table, group, live, now)
    if (row !== null) settled.push(row)
  }
  return settled
}

function groupsOf(rows: readonly QuotaCount[], others: readonly OtherNodeCount[]): Iterable<Group> {
  const groups = new Map<string, { own: QuotaCount | null; others: OtherNodeCount[] }>()
  const of = ({ key, period }: QuotaCount) => {
    const name = `${key.slice(0, -2)} ${period}`
    const known = groups.get(name)
    if (known !== undefined) return known
    const made = { own: null, others: [] }
    groups.set(name, made)
    return made
  }
  for (const row of rows) of(row).own = row
  for (const row of others) of(row).others.push(row)
  return groups.values()
}

function settle(
  table: CounterTable,
  { own: given, others }: Group,
  live: ReadonlySet<string> | null,
  now: number,
): NodeCount | null {
  const { key, period, ends } = given ?? others[0]!
  const [, ownerHex, lowHex, highHex] = QUOTA_KEY.exec(key) ?? []
  if (lowHex === undefined || highHex === undefined) return null
  const low = wordOf(lowHex)
  const stripe = table.stripeOf(low)
  if (!table.stripes.lock(stripe)) return null
  try {
    const time = table.timeOf(low, now)
    const high = wordOf(highHex)
    let entry = table.peek(low, high, QUOTA)
    if (entry === -1 || table.floats[entry * ENTRY_FLOATS + LATEST] !== period) {
      // What has ended, or has not begun here, is no matter of shares
      const isNow = period <= time && time < ends
      if (!isNow || isLater(table, entry, period)) return given && { ...given, max: 0, cost: 0, share: 0 }
      if (entry === -1) {
        entry = table.find(low, high, QUOTA, time, ownerHex === undefined ? NOBODY : wordOf(ownerHex), false)
        if (entry === -1) return null
      }
      enterPeriod(table, entry, period, ends)
      table.floats[entry * ENTRY_FLOATS + EXPIRES] = ends
    }
    return settleCurrent(table, entry, given !== null, others, live)
  } finally {
    table.stripes.unlock(stripe)
  }
}

/** The counter has gone on to a period after this one. */
function isLater(table: CounterTable, entry: number, period: number): boolean {
  return entry !== -1 && table.floats[entry * ENTRY_FLOATS + LATEST]! > period
}

function settleCurrent(
  table: CounterTable,
  entry: number,
  isChanged: boolean,
  others: readonly OtherNodeCount[],
  live: ReadonlySet<string> | null,
): NodeCount | null {
  const told = byNode(others)
  let counted = 0
  for (const { count } of told.values()) counted += count
  setOthers(table, entry, counted)
  const { max, cost } = limitOf(table, entry, others)
  const { own, cap } = sharedPeriod(table, entry)
  if (live === null || max === 0) {
    setCap(table, entry, own)
    return live === null ? null : rowOf(table, entry, { max, cost, count: own, share: 0 })
  }
  const nodes = live.size + 1
  const known = [...told].filter(([node]) => live.has(node))
  const wanted = shareOf({
    max,
    cost,
    counted: counted + own,
    shares: known.map(([, { share }]) => share),
    silent: live.size - known.length,
    nodes,
  })
  const share = (cap ?? partOf(max, nodes, cost)) - own
  if (!isChanged && cap !== null && wanted > 0 && Math.abs(wanted - share) <= share * STEP) return null
  if (cap === null || wanted < share) setCap(table, entry, own + Math.min(wanted, Math.max(0, share)))
  return rowOf(table, entry, { max, cost, count: own, share: wanted })
}

/** A node may have left a row of the same period in another place: both count as the larger. */
function byNode(others: readonly OtherNodeCount[]): Map<string, { count: number; share: number }> {
  const told = new Map<string, { count: number; share: number }>()
  for (const { node, count, share } of others) {
    const known = told.get(node)
    told.set(node, {
      count: Math.max(count, known?.count ?? 0),
      share: Math.max(share, known?.share ?? 0),
    })
  }
  return told
}

function limitOf(
  table: CounterTable,
  entry: number,
  others: readonly OtherNodeCount[],
): { max: number; cost: number } {
  const { words } = table
  const at = entry * ENTRY_WORDS
  if (words[at + QUOTA_MAX] !== 0) return { max: words[at + QUOTA_MAX]!, cost: words[at + QUOTA_COST]! }
  const told = others.find(({ max }) => max > 0)
  return { max: told?.max ?? 0, cost: told?.cost ?? 1 }
}

function rowOf(
  table: CounterTable,
  entry: number,
  its: Pick<NodeCount, 'max' | 'cost' | 'count' | 'share'>,
): NodeCount {
  const [current] = periodsOf(table, entry, false)
  const { place, start, end, order } = current!
  return { key: `${nameOf(table, entry)}q${place}`, period: start, ends: end, entered: order, ...its }
}

/** Raises the shares of rows that are stored now. */
export function allowQuotas(table: CounterTable, rows: readonly NodeCount[]): void {
  for (const { key, period, count, share } of rows) {
    const [, , lowHex, highHex] = QUOTA_KEY.exec(key) ?? []
    if (share === 0 || lowHex === undefined || highHex === undefined) continue
    const low = wordOf(lowHex)
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) continue
    const entry = table.peek(low, wordOf(highHex), QUOTA)
    if (entry !== -1 && table.floats[entry * ENTRY_FLOATS + LATEST] === period)
      setCap(table, entry, count + share)
    table.stripes.unlock(stripe)
  }
}
