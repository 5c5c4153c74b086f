import type { Fragment, FragmentKey, SnapshotDelta } from '../../snapshot/fragments.ts'

/** The published snapshot, for threads that start. */
export class PublishedSnapshot {
  readonly #fragments = new Map<FragmentKey, { hash: string; fragment: Fragment }>()
  #revision: number

  constructor(first: SnapshotDelta) {
    this.#revision = first.revision
    this.remember(first)
  }

  remember(delta: SnapshotDelta): void {
    if (delta.full) this.#fragments.clear()
    for (const { key, hash, fragment } of delta.put) this.#fragments.set(key, { hash, fragment })
    for (const key of delta.drop) this.#fragments.delete(key)
    this.#revision = delta.revision
  }

  whole(): SnapshotDelta {
    const put = [...this.#fragments].map(([key, entry]) => ({ key, ...entry }))
    return { revision: this.#revision, full: true, drop: [], put }
  }
}
