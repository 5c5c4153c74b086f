import type { FragmentKey } from '../../snapshot/fragments.ts'
import type { SentDelta, SentFragment } from '../../snapshot/sent-delta.ts'

/** A few hundred KB of text. */
const PART_FRAGMENTS = 200

/** The published snapshot, for threads that start. */
export class PublishedSnapshot {
  readonly #fragments = new Map<FragmentKey, SentFragment>()
  #revision: number

  constructor(first: SentDelta) {
    this.#revision = first.revision
    this.remember(first)
  }

  remember(delta: SentDelta): void {
    if (delta.full) this.#fragments.clear()
    for (const one of delta.put) this.#fragments.set(one.key, one)
    for (const key of delta.drop) this.#fragments.delete(key)
    this.#revision = delta.revision
  }

  /** All of it: a full delta, and the parts of its fragments that are to be sent before it. */
  whole(): { readonly parts: readonly (readonly SentFragment[])[]; readonly last: SentDelta } {
    const all = [...this.#fragments.values()]
    const parts: SentFragment[][] = []
    while (all.length > PART_FRAGMENTS) parts.push(all.splice(-PART_FRAGMENTS))
    return { parts, last: { revision: this.#revision, full: true, drop: [], put: all } }
  }
}
