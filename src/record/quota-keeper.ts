/**
 * Carries the counts of quotas between the counters of the gateway threads and the store.
 * 1. Counts survive the process. A process that is killed forgets at most what it counted since the last saving.
 * 2. Where several nodes count together, each saving is an exchange: it stores what this node has counted, reads what the others have, and
 *    gives this node its next share. While that fails, this node goes on with the share that it has.
 * 3. Fewer nodes count only after such an exchange: what a node that left has counted is known then.
 */
import type { Clock } from '../base/clock.ts'
import type { NodeQuota, OtherNodeQuota, QuotaRow, QuotaStore, SharedQuotas } from '../store/ports/records.ts'
import type { NodeGroup } from './messages.ts'

/** The part of the limit counters that outlives the process. */
export interface QuotaCounters {
  /** Quotas that changed since the last call, or all of them. */
  exportQuotas(isAll?: boolean): QuotaRow[]
  importQuotas(counts: readonly QuotaRow[], now: number): void
  /** Of how many nodes this one is. */
  setNodes(nodes: number): void
  /** Notes what others have counted, and gives the rows to store: see `gateway/admit/quota-shares.ts`. */
  shareQuotas(
    rows: readonly QuotaRow[],
    others: readonly OtherNodeQuota[],
    live: ReadonlySet<string> | null,
    now: number,
  ): NodeQuota[]
  /** Raises the shares of rows that are stored now. */
  allowQuotas(rows: readonly NodeQuota[]): void
}

export interface QuotaKeeper {
  /** Puts the counts of the last run back; before the first request is admitted. While that fails, nothing is saved. */
  load(): Promise<void>
  /** Saves every count next time: the store holds none of them any more. */
  saveAll(): void
  /** Which nodes count together from now on. Nothing where the store is of one process alone. */
  setNodes(nodes: NodeGroup): void
  /** Stores what changed. What the store refuses is kept and stored with the next change. */
  save(): Promise<void>
  /**
   * Saves once in each `SAVE_MS` from now on, and reports each result (null: saved). The returned function saves a last
   * time and ends it.
   */
  keepSaving(report: (error: string | null) => void): () => Promise<void>
  /**
   * Forgets counts of periods that ended long ago, by the clock and by the time that the process has run since. Call it once
   * in each {@link PRUNE_MS}.
   */
  prune(): Promise<void>
}

/** What a process that is killed forgets at most: the calls of this time. Milliseconds. */
const SAVE_MS = 1000
/** Savings in that time while other nodes wait for what this one tells. */
const EXCHANGES = 4

/** No period is longer. */
const PERIOD_MS_MAX = 32 * 86_400_000

/** How often what is old is forgotten, milliseconds. */
export const PRUNE_MS = 60_000

/** Rows of one exchange: others wait for it. */
const ROWS_MAX = 1000

export function createQuotaKeeper(counters: QuotaCounters, store: QuotaStore, clock: Clock): QuotaKeeper {
  /** Changes that are not stored yet, by key: bounded by the number of counters. */
  const unsaved = new Map<string, QuotaRow>()
  let saving = false
  /** What is stored could not be read yet. */
  let mustLoad = false
  let isAll = false
  /** The other nodes, and all of them; null and none before any was named. */
  let others: ReadonlySet<string> | null = null
  let live: readonly string[] = []
  /** What nodes left that are gone was not taken over yet. */
  let mustAdopt = store.shared !== null
  /** All rows are exchanged next time. */
  let isRegrouped = false
  let ticks = 0

  const isTogether = (): boolean => (others !== null && others.size > 0) || isRegrouped

  function collect(wantsAll: boolean): void {
    for (const row of counters.exportQuotas(wantsAll)) unsaved.set(row.key, row)
    isAll = false
  }

  /** Stores some of what is unsaved of calendar quotas, and reads some of the others. @returns whether anything is left to do */
  async function exchange(shared: SharedQuotas, wantsAll: boolean): Promise<boolean> {
    const waiting = [...unsaved.values()].filter(isCalendar)
    const rows = waiting.slice(0, ROWS_MAX)
    const keys = rows.map(({ key }) => key)
    const { stored, isMore } = await shared.exchange(keys, wantsAll, (told) =>
      counters.shareQuotas(rows, told, others ?? new Set(), clock.now()),
    )
    counters.allowQuotas(stored)
    const done = new Set(stored.map(({ key }) => key))
    // One that is not among them could not be looked at: its lock was held by a thread that has died
    forget(rows.filter(({ key }) => done.has(key)))
    return isMore || (done.size > 0 && waiting.length > rows.length)
  }

  /** Unless a newer count has come in meanwhile. */
  function forget(rows: readonly QuotaRow[]): void {
    for (const row of rows) if (unsaved.get(row.key) === row) unsaved.delete(row.key)
  }

  async function adopt(shared: SharedQuotas): Promise<void> {
    const rows = await shared.adopt(live)
    mustAdopt = false
    if (rows.length === 0) return
    counters.importQuotas(rows, clock.now())
    isAll = true
  }

  async function saveTogether(shared: SharedQuotas): Promise<void> {
    const wantsAll = isRegrouped
    isRegrouped = false
    try {
      if (mustAdopt) await adopt(shared)
      collect(isAll || wantsAll)
      const count = live.length
      let isFirst = wantsAll
      while (await exchange(shared, isFirst)) isFirst = false
      // Others may have come or gone meanwhile: then the next exchange follows
      if (wantsAll && count > 0 && !isRegrouped) counters.setNodes(count)
      await saveRows([...unsaved.values()].filter((row) => !isCalendar(row)))
    } catch (error) {
      isRegrouped ||= wantsAll
      throw error
    }
  }

  async function saveRows(rows: readonly QuotaRow[]): Promise<void> {
    if (rows.length === 0) return
    await store.save(rows)
    forget(rows)
  }

  const keeper: QuotaKeeper = {
    async load() {
      mustLoad = true
      const own = await store.load()
      const now = clock.now()
      const told = (await store.shared?.others(now)) ?? []
      counters.importQuotas(own, now)
      // Shares come with the first exchange
      counters.shareQuotas([], told, null, now)
      mustLoad = false
    },
    keepSaving(report) {
      const save = (): Promise<void> =>
        keeper.save().then(
          () => report(null),
          (error: unknown) => report(error instanceof Error ? error.message : String(error)),
        )
      let last = Promise.resolve()
      const timer = setInterval(() => {
        const isDue = ticks++ % EXCHANGES === EXCHANGES - 1 || isTogether()
        if (isDue && !saving) last = save()
      }, SAVE_MS / EXCHANGES)
      return async () => {
        clearInterval(timer)
        // One that is under way holds what was counted before it, not what came since.
        await last
        await save()
      }
    },
    prune: () => store.prune(clock.now() - PERIOD_MS_MAX, PERIOD_MS_MAX / PRUNE_MS),
    saveAll() {
      isAll = true
      if (others !== null && others.size > 0) isRegrouped = true
    },
    setNodes(nodes) {
      if (store.shared === null) return
      store.shared.enterAs(nodes.self)
      live = nodes.live
      others = new Set(live.filter((id) => id !== nodes.self))
      isRegrouped = true
    },
    async save() {
      // First: a lower count must not take the place of one that is stored and was not read yet
      if (mustLoad) await keeper.load()
      if (saving) return collect(isAll)
      saving = true
      try {
        const { shared } = store
        if (shared !== null && isTogether()) await saveTogether(shared)
        else {
          collect(isAll)
          await saveRows([...unsaved.values()])
        }
      } finally {
        saving = false
      }
    },
  }
  return keeper
}

/** A name of `gateway/admit/persisted-quotas.ts`: hexadecimal, then `q` for a calendar period and `r` for a rolling one. */
function isCalendar({ key }: QuotaRow): boolean {
  return key.includes('q')
}
