/** The memory that all threads count limits in: its tables, and the cells before them. */
import { CounterTable, ENTRIES_DEFAULT, tableBytes, toEntries } from './counter-table.ts'
import { LEASE_CELLS, LeaseCells } from './leases.ts'

/** Before the tables: number of entries, last failure, the time that the tables have seen, the number of nodes, and if there are leases. */
const RESERVED_BYTES = 64
const FAILURE_OFFSET = 8
const NODES_OFFSET = 24
const HAS_LEASES_OFFSET = 28

/** The counters of limits, as one thread reaches them. */
export interface CounterTables {
  readonly table: CounterTable
  /** Counters that requests choose. */
  readonly keyed: CounterTable
  readonly cells: LeaseCells
  /** How many nodes count beside each other. */
  readonly nodes: number
}

interface AllTables extends CounterTables {
  readonly failures: CounterTable
  /** When a credential last failed. */
  readonly lastFailure: Int32Array
  readonly nodesCell: Int32Array
}

/**
 * Memory for {@link openCounterTables}, shared by all threads.
 * @param entries bounds how many limits of how many subjects count at once
 * @param hasLeases for limits that are counted in Valkey; takes 24 MB more, which are used only as counters are
 */
export function createCounterMemory(entries: number = ENTRIES_DEFAULT, hasLeases = false): SharedArrayBuffer {
  const { end, limits } = layoutOf(entries, hasLeases)
  const buffer = new SharedArrayBuffer(end)
  new Float64Array(buffer, 0, 1)[0] = limits
  new Int32Array(buffer, NODES_OFFSET, 1)[0] = 1
  new Int32Array(buffer, HAS_LEASES_OFFSET, 1)[0] = hasLeases ? 1 : 0
  return buffer
}

function layoutOf(entries: number, hasLeases: boolean) {
  const limits = toEntries(entries)
  const failures = toEntries(limits / 4)
  // As large as the other: a client alone gets half of it.
  const keyed = limits
  const failuresAt = RESERVED_BYTES + tableBytes(limits, { hasLeases })
  const keyedAt = failuresAt + tableBytes(failures)
  const cellsAt = keyedAt + tableBytes(keyed, { hasShares: true, hasLeases })
  return { limits, failures, failuresAt, keyed, keyedAt, cellsAt, end: cellsAt + LEASE_CELLS * 4 }
}

/** Attaches the thread of a slot to memory of {@link createCounterMemory}. */
export function openCounterTables(buffer: SharedArrayBuffer, slot: number): AllTables {
  const hasLeases = new Int32Array(buffer, HAS_LEASES_OFFSET, 1)[0] === 1
  const at = layoutOf(new Float64Array(buffer, 0, 1)[0]!, hasLeases)
  const nodesCell = new Int32Array(buffer, NODES_OFFSET, 1)
  return {
    table: new CounterTable(buffer, RESERVED_BYTES, at.limits, slot, { hasLeases }),
    failures: new CounterTable(buffer, at.failuresAt, at.failures, slot),
    keyed: new CounterTable(buffer, at.keyedAt, at.keyed, slot, { hasShares: true, hasLeases }),
    cells: new LeaseCells(new Int32Array(buffer, at.cellsAt, LEASE_CELLS)),
    lastFailure: new Int32Array(buffer, FAILURE_OFFSET, 1),
    nodesCell,
    get nodes() {
      return nodesCell[0]!
    },
  }
}
