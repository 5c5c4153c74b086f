/** Stores the counters of quotas, which must survive the process. */
import type { Clock } from '../base/clock.ts'
import type { QuotaRow, QuotaStore } from '../store/ports/records.ts'

/** The part of the limit counters that outlives the process. */
export interface QuotaCounters {
  /** Quotas that changed since the last call, or all of them. */
  exportQuotas(isAll?: boolean): QuotaRow[]
  importQuotas(counts: readonly QuotaRow[], now: number): void
}

export interface QuotaKeeper {
  /** Puts the counts of the last run back; before the first request is admitted. While that fails, nothing is saved. */
  load(): Promise<void>
  /** Saves every count next time: the store holds none of them any more. */
  saveAll(): void
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

/** No period is longer. */
const PERIOD_MS_MAX = 32 * 86_400_000

/** How often what is old is forgotten, milliseconds. */
export const PRUNE_MS = 60_000

/** Carries the counts of quotas between the shared counters and the store. */
export function createQuotaKeeper(counters: QuotaCounters, store: QuotaStore, clock: Clock): QuotaKeeper {
  /** Changes that are not stored yet, by key: bounded by the number of counters. */
  const unsaved = new Map<string, QuotaRow>()
  let saving = false
  /** What is stored could not be read yet. */
  let mustLoad = false
  let isAll = false
  const keeper: QuotaKeeper = {
    async load() {
      mustLoad = true
      counters.importQuotas(await store.load(), clock.now())
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
        if (!saving) last = save()
      }, SAVE_MS)
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
    },
    async save() {
      // First: a lower count must not take the place of one that is stored and was not read yet
      if (mustLoad) await keeper.load()
      for (const row of counters.exportQuotas(isAll)) unsaved.set(row.key, row)
      isAll = false
      if (saving || unsaved.size === 0) return
      const rows = [...unsaved.values()]
      unsaved.clear()
      saving = true
      try {
        await store.save(rows)
      } catch (error) {
        // A newer count of the same key may have come in meanwhile; it wins.
        for (const row of rows) if (!unsaved.has(row.key)) unsaved.set(row.key, row)
        throw error
      } finally {
        saving = false
      }
    },
  }
  return keeper
}
