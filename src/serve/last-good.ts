import { contentHash } from '../base/canonical.ts'
import type { Fragment, FragmentKey, SnapshotDelta } from '../snapshot/fragments.ts'
import type { LastGoodStore } from '../store/ports/last-good.ts'

/** Keeps what is published, so that a start without the store serves it. */
export interface LastGoodSnapshot {
  /** The whole of what was published last, or null. Null too when anything of it is damaged: half of it could admit too much. */
  load(): SnapshotDelta | null
  /** On disk when it returns. What cannot be kept is forgotten: an older state might hold what has been revoked. */
  keep(delta: SnapshotDelta): void
  /** After something was forgotten: keeps everything anew. `whole` hands over what is published at that moment. */
  mend(whole: (keep: (delta: SnapshotDelta) => void) => Promise<unknown>): Promise<void>
}

/** @param report told once of each failure to keep or forget; what is published goes on. */
export function createLastGood(store: LastGoodStore, report: (error: unknown) => void): LastGoodSnapshot {
  /** Nothing was forgotten since the last full delta; a part alone would be no whole. */
  let isWhole = true
  function keep(delta: SnapshotDelta): void {
    if (!isWhole && !delta.full) return
    try {
      store.keep({
        ...delta,
        put: delta.put.map(({ key, hash, fragment }) => ({ key, hash, text: JSON.stringify(fragment) })),
      })
      isWhole = true
    } catch (error) {
      isWhole = false
      report(error)
      store.forget()
    }
  }

  return {
    keep,
    async mend(whole) {
      if (!isWhole) await whole(keep)
    },
    load() {
      const kept = store.load()
      if (kept === null) return null
      try {
        const put = kept.entries.map(({ key, hash, text }) => {
          // Written from this very type; the hash says whether it is still that.
          const fragment = JSON.parse(text) as Fragment
          if (contentHash(fragment) !== hash) throw new Error(`${key} is damaged`)
          return { key: key as FragmentKey, hash, fragment }
        })
        return { revision: kept.revision, full: true, put, drop: [] }
      } catch (error) {
        report(error)
        return null
      }
    },
  }
}
