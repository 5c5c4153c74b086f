/** Counts of one value of a facet, such as one endpoint, by the status of the answers. */
import type { Rows } from '../block.ts'
import { stepOf } from './histogram.ts'

/** Counts by step or by word. */
export type Sparse = Map<number, number>

export interface Counts {
  requests: number
  /** The caller left before the end. */
  aborted: number
  bytesIn: number
  bytesOut: number
  /** Came over MCP. */
  agents: number
  /** Of answers, by the steps of `histogram.ts`. */
  readonly duration: Sparse
  readonly upstream: Sparse
  readonly gateway: Sparse
  /** By the number of the problem code. */
  readonly codes: Sparse
}

/** Counts by status; 0 if the caller left without an answer. */
export type Cell = Map<number, Counts>

function emptyCounts(): Counts {
  return {
    requests: 0,
    aborted: 0,
    bytesIn: 0,
    bytesOut: 0,
    agents: 0,
    duration: new Map(),
    upstream: new Map(),
    gateway: new Map(),
    codes: new Map(),
  }
}

function bump(counts: Sparse, key: number, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

export function countsIn(cell: Cell, status: number): Counts {
  let counts = cell.get(status)
  if (counts === undefined) {
    counts = emptyCounts()
    cell.set(status, counts)
  }
  return counts
}

/**
 * Counts a row: a sign of -1 takes it out again, a code of 0 is none, and `isTimed` counts the times at the upstream and in the
 * gateway too.
 */
export function addRow(
  counts: Counts,
  rows: Rows,
  row: number,
  { sign, code, isTimed }: { readonly sign: 1 | -1; readonly code: number; readonly isTimed: boolean },
): void {
  const times = rows.requests(row) * sign
  counts.requests += times
  if (rows.isAborted(row)) counts.aborted += times
  if (rows.surface(row) !== 0) counts.agents += times
  counts.bytesIn += Math.max(0, rows.bytesIn(row)) * sign
  counts.bytesOut += Math.max(0, rows.bytesOut(row)) * sign
  if (code !== 0) bump(counts.codes, code, times)
  // A tunnel lasts as long as both ends like, and who left was not answered
  if (rows.status(row) < 200) return
  const durationMs = rows.durationMs(row)
  const upstreamMs = rows.upstreamMs(row)
  bump(counts.duration, stepOf(durationMs), times)
  if (!isTimed) return
  if (upstreamMs >= 0) bump(counts.upstream, stepOf(upstreamMs), times)
  bump(counts.gateway, stepOf(upstreamMs < 0 ? durationMs : Math.max(0, durationMs - upstreamMs)), times)
}

/** Adds the counts of a cell to those of another. */
export function mergeCell(into: Cell, from: Cell): void {
  for (const [status, counts] of from) {
    const target = countsIn(into, status)
    target.requests += counts.requests
    target.aborted += counts.aborted
    target.bytesIn += counts.bytesIn
    target.bytesOut += counts.bytesOut
    target.agents += counts.agents
    for (const name of ['duration', 'upstream', 'gateway', 'codes'] as const)
      for (const [key, count] of counts[name]) bump(target[name], key, count)
  }
}
