import type { FragmentKey } from '../snapshot/fragments.ts'
import type { SentDelta, SentFragment } from '../snapshot/sent-delta.ts'

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

  whole(): SentDelta {
    return { revision: this.#revision, full: true, drop: [], put: [...this.#fragments.values()] }
  }
}
