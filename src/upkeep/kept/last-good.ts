/**
 * Keeps the published configuration in `serving.db`, written to disk before a change answers.
 *
 * 1. It is served when `config.db` is missing, empty, damaged, older than the audit mark, or does not extend the audit
 *    trail: everything published, nothing revoked, nothing changeable, and `/readyz` warns.
 * 2. A copy that cannot be written is deleted as a whole, and a damaged copy is not used: an older state could admit a
 *    caller that was revoked since.
 */
import { contentHash, textHash } from '../../base/json/canonical.ts'
import { InLine } from '../../base/threads/in-line.ts'
import { KEPT_MS, type KeptKeySet, type KeptKeySets } from '../../gateway/identify/key-sets.ts'
import type { FragmentKey } from '../../snapshot/fragments.ts'
import {
  createPacker,
  digestOf,
  FragmentText,
  type KeptSnapshot,
  type PackedSnapshot,
} from '../../snapshot/packed-fragments.ts'
import type { LastGoodChange, LastGoodEntry, LastGoodStore } from '../../store/ports/places.ts'
import { type Probed, StoreUnavailable } from '../../store/ports/unavailable.ts'

/** Keeps what is published, so that a start without the store serves it. */
export interface LastGoodSnapshot extends Probed {
  /** What was published last, or null. Null too when anything of it is damaged: half of it could admit too much. */
  load(): KeptSnapshot | null
  /** On disk when it resolves; changes are kept in their order. What cannot be kept is forgotten: an older state might hold what has been revoked. */
  keep(delta: LastGoodChange): Promise<void>
  /** Likewise for a whole configuration. */
  keepWhole(whole: PackedSnapshot): Promise<void>
  /** After something was forgotten: keeps everything anew. `whole` hands over what is published at that moment. */
  mend(whole: (keepWhole: (whole: PackedSnapshot) => void) => Promise<unknown>): Promise<void>
  /** Key sets of issuers: what cannot be kept is forgotten here too, since an older set might hold a withdrawn key. */
  readonly keySets: KeptKeySets
}

/** What was kept is not what was written. The message says what. */
class DamagedCopy extends Error {
  override readonly name = 'DamagedCopy'
}

export interface LastGoodWatch {
  /** Path of the copy in the data directory. */
  readonly file: string
  /** The copy is made anew where it is damaged. */
  readonly isWritable: boolean
  readonly log: (level: 'warn', message: string) => void
  readonly fault: (error: unknown, at: string) => void
}

/** What the log is told of a copy that is damaged, or cannot be written. */
export function tellLastGood({ file, isWritable, log, fault }: LastGoodWatch): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof DamagedCopy)) return fault(error, 'the last known configuration cannot be stored')
    const remedy = isWritable ? ': it is created again from config.db' : ''
    log('warn', `${file} is damaged (${error.message})${remedy}`)
  }
}

/** @param report told once of each failure to keep or forget; what is published goes on. */
export function createLastGood(store: LastGoodStore, report: (error: unknown) => void): LastGoodSnapshot {
  /** Nothing was forgotten since the last full delta; a part alone would be no whole. */
  let isWhole = true
  let fault: StoreUnavailable | null = null
  const line = new InLine(1)

  function keep(delta: LastGoodChange): Promise<void> {
    return line.run('', async () => {
      if (!isWhole && !delta.full) return
      await put(delta)
      // The file that could not be written is gone, and a new one has another mode
      if (delta.full && fault?.fault === 'read_only') await put(delta)
    })
  }

  function keepWhole({ revision, fragments }: PackedSnapshot): Promise<void> {
    return keep({ revision, full: true, put: fragments, drop: [] })
  }

  function put(delta: LastGoodChange): Promise<void> {
    return orForget(async () => {
      await store.keep(delta)
      isWhole = true
      fault = null
    })
  }

  async function orForget(change: () => Promise<void> | void): Promise<void> {
    try {
      await change()
    } catch (error) {
      isWhole = false
      fault = toFault(error)
      report(error)
      store.forget()
    }
  }

  /** Reads everything. Null, and a report, where an entry is not what was written. */
  function read(take: (one: FragmentText) => void): number | null {
    const revision = store.revision()
    if (revision === null) return null
    try {
      for (const entry of store.entries()) take(demandWhole(entry))
      return revision
    } catch (error) {
      report(
        error instanceof DamagedCopy ? error : new DamagedCopy((error as Error).message, { cause: error }),
      )
      return null
    }
  }

  const keySets: KeptKeySets = {
    load(source) {
      const kept = store.loadKeySet(source)
      if (kept === null) return null
      try {
        // Written from this very type; the hash says whether it is still that.
        const set = JSON.parse(kept.text) as KeptKeySet
        if (contentHash([source, set]) !== kept.hash) throw new Error(`the keys of ${source} are damaged`)
        return set
      } catch (error) {
        report(error)
        return null
      }
    },
    keep(source, set) {
      const kept = { at: Math.floor(set.at), hash: contentHash([source, set]), text: JSON.stringify(set) }
      try {
        store.keepKeySet(source, kept, kept.at - KEPT_MS)
      } catch (error) {
        report(error)
        // The configuration that is kept is still the last
        void orForget(() => store.forgetKeySets())
      }
    },
  }

  return {
    keep,
    keepWhole,
    keySets,
    get fault() {
      return fault
    },
    probe: async () => orForget(() => store.look()),
    async mend(whole) {
      if (isWhole) return
      let kept: Promise<void> | undefined
      await whole((one) => {
        kept = keepWhole(one)
      })
      await kept
    },
    load() {
      const packer = createPacker()
      const all: Pick<FragmentText, 'key' | 'hash'>[] = []
      const revision = read((one) => {
        packer.add(one)
        all.push({ key: one.key, hash: one.hash })
      })
      return revision === null ? null : { revision, fragments: packer.done(), digest: digestOf(all) }
    },
  }
}

/** The fragment of an entry. Throws where it is not what was written. */
function demandWhole({ key, hash, text }: LastGoodEntry): FragmentText {
  if (textHash(text) !== hash) throw new DamagedCopy(`${key} is damaged`)
  return new FragmentText(key as FragmentKey, hash, text)
}

function toFault(error: unknown): StoreUnavailable {
  return error instanceof StoreUnavailable ? error : new StoreUnavailable('io_error', String(error), error)
}
