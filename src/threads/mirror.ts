import type { Fragment, FragmentKey, SnapshotDelta } from '../snapshot/fragments.ts'

/** What has been published, for threads that start. */
export class Mirror {
  readonly #held = new Map<FragmentKey, { hash: string; fragment: Fragment }>()
  #revision: number

  constructor(first: SnapshotDelta) {
    this.#revision = first.revision
    this.remember(first)
  }

  remember(delta: SnapshotDelta): void {
    if (delta.full) this.#held.clear()
    for (const { key, hash, fragment } of delta.put) this.#held.set(key, { hash, fragment })
    for (const key of delta.drop) this.#held.delete(key)
    this.#revision = delta.revision
  }

  whole(): SnapshotDelta {
    const put = [...this.#held].map(([key, held]) => ({ key, ...held }))
    return { revision: this.#revision, full: true, drop: [], put }
  }
}
