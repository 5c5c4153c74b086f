/** The counts of quotas in both tables of the counters, as the recorder stores them and exchanges them with other nodes. */
import type { CounterTable } from './counter-table.ts'
import { exportQuotas, importQuotas, type QuotaCount } from './persisted-quotas.ts'
import { allowQuotas, type NodeCount, type OtherNodeCount, shareQuotas } from './quota-shares.ts'

export interface QuotaCounts {
  /** Quotas that changed since the last call of any thread, or all of them: what this node has counted itself. */
  exportQuotas(isAll?: boolean): QuotaCount[]
  /** Puts back counts of an earlier run: of calendar quotas every period, of rolling ones what is still in the window. */
  importQuotas(counts: readonly QuotaCount[], now: number): void
  /** As the function of that name in quota-shares.ts. */
  shareQuotas(
    rows: readonly QuotaCount[],
    others: readonly OtherNodeCount[],
    live: ReadonlySet<string> | null,
    now: number,
  ): NodeCount[]
  /** Raises the shares of rows that are stored now. */
  allowQuotas(rows: readonly NodeCount[]): void
}

/** Before the names of counts of keyed limits. */
const KEYED = 'k'

/** @param keyed the table of counters that requests choose */
export function createQuotaCounts(table: CounterTable, keyed: CounterTable): QuotaCounts {
  return {
    exportQuotas: (isAll = false) => [
      ...exportQuotas(table, isAll),
      ...exportQuotas(keyed, isAll).map(withPrefix),
    ],
    importQuotas(counts, now) {
      importQuotas(table, others(counts), now)
      importQuotas(keyed, ofKeyed(counts), now)
    },
    shareQuotas: (rows, told, live, now) => [
      ...shareQuotas(table, others(rows), others(told), live, now),
      ...shareQuotas(keyed, ofKeyed(rows), ofKeyed(told), live, now).map(withPrefix),
    ],
    allowQuotas(rows) {
      allowQuotas(table, others(rows))
      allowQuotas(keyed, ofKeyed(rows))
    },
  }
}

function others<T extends QuotaCount>(rows: readonly T[]): T[] {
  return rows.filter(({ key }) => !key.startsWith(KEYED))
}

function ofKeyed<T extends QuotaCount>(rows: readonly T[]): T[] {
  return rows.flatMap((row) =>
    row.key.startsWith(KEYED) ? { ...row, key: row.key.slice(KEYED.length) } : [],
  )
}

function withPrefix<T extends QuotaCount>(row: T): T {
  return { ...row, key: KEYED + row.key }
}
