/** The one copy of the published snapshot that the main thread keeps for threads that start. */
import type { OwnedBytes } from '../../base/memory/bytes.ts'
import { inSlices } from '../../base/threads/time-slices.ts'
import type { FragmentKey } from '../../snapshot/fragments.ts'
import {
  PackedFragments,
  type PackedSnapshot,
  type SentDelta,
  type SentFragment,
  type TextDelta,
} from '../../snapshot/packed-fragments.ts'

/** Fragments that wait to be packed: most are followed by another change of the same fragment. */
const RECENT_MAX = 256
/** Of their texts. */
const RECENT_CHARS_MAX = 4 * 1024 * 1024

/** A delta of very many fragments. */
export interface Prepared {
  /** Pieces of its fragments, and what is to be sent after them. */
  readonly parts: readonly OwnedBytes[]
  readonly last: SentDelta
  readonly remember: () => void
}

/** True for a delta that takes long to remember and to send; see {@link PublishedSnapshot.prepare}. */
export function isLong({ put, drop }: TextDelta): boolean {
  return put.length + drop.length > RECENT_MAX
}

/**
 * The published snapshot, for threads that start: the one copy that the main thread keeps. It is in memory, with the secrets filled in
 * that are read elsewhere, so that a thread is replaced while neither a store nor a vault can be used.
 */
export class PublishedSnapshot {
  #packed: PackedFragments
  #revision: number
  /** What has changed since, the last change last; null for what was dropped. */
  readonly #recent = new Map<FragmentKey, SentFragment | null>()
  #recentChars = 0

  constructor({ revision, fragments }: PackedSnapshot) {
    this.#packed = fragments
    this.#revision = revision
  }

  /**
   * Makes ready to remember a delta of very many fragments, in time slices. Nothing else may be remembered before `remember` of the
   * result was called, in one turn with sending `parts` to the threads that there are.
   */
  async prepare(delta: TextDelta): Promise<Prepared> {
    const parts = await inSlices(PackedFragments.NONE.withPaused(delta.put))
    const recent = delta.full ? [] : [...this.#recent]
    const put = recent.flatMap(([, one]) => one ?? [])
    const drop = recent.flatMap(([key, one]) => (one === null ? key : []))
    // A thread that starts meanwhile packs what is recent as well, which changes nothing of the result
    const before = delta.full ? PackedFragments.NONE : this.#packed.with(put, drop)
    const packed = await inSlices(before.withPaused(delta.put, delta.drop))
    return {
      parts: parts.pieces,
      last: { ...delta, put: [] },
      remember: () => {
        this.#revision = delta.revision
        this.#packed = packed
        this.#recent.clear()
        this.#recentChars = 0
      },
    }
  }

  remember(delta: TextDelta): void {
    this.#revision = delta.revision
    if (delta.full) {
      this.#packed = PackedFragments.NONE
      this.#recent.clear()
      this.#recentChars = 0
    }
    for (const key of delta.drop) this.#remember(key, null)
    for (const one of delta.put) this.#remember(one.key, one)
    this.#pack(RECENT_MAX, RECENT_CHARS_MAX)
  }

  #remember(key: FragmentKey, one: SentFragment | null): void {
    this.#forget(key)
    this.#recent.set(key, one)
    this.#recentChars += one?.text.length ?? 0
  }

  #forget(key: FragmentKey): void {
    this.#recentChars -= this.#recent.get(key)?.text.length ?? 0
    this.#recent.delete(key)
  }

  /** Packs what changed longest ago, until no more than that waits: all at once would keep the thread from other work. */
  #pack(max: number, charsMax: number): void {
    const put: SentFragment[] = []
    const drop: FragmentKey[] = []
    for (const [key, one] of this.#recent) {
      if (this.#recent.size <= max && this.#recentChars <= charsMax) break
      this.#forget(key)
      if (one === null) drop.push(key)
      else put.push(one)
    }
    this.#packed = this.#packed.with(put, drop)
  }

  /** All of it: pieces of fragments, no key twice, and the full delta that is to be sent after them. */
  whole(): { readonly pieces: readonly OwnedBytes[]; readonly last: SentDelta } {
    this.#pack(0, 0)
    return {
      pieces: this.#packed.pieces,
      last: { revision: this.#revision, full: true, drop: [], put: [] },
    }
  }
}
