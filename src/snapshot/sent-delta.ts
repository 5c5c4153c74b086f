/**
 * A delta on its way to a gateway thread: each fragment is JSON text. Text is copied from thread to thread in one piece, where
 * structured clone walks every object, and takes a fraction of the memory of the objects: the main thread keeps the text of all
 * fragments for threads that start later, and a gateway thread reads each text while it links it and keeps nothing of it.
 */
import type { Fragment, FragmentKey, SnapshotDelta } from './fragments.ts'

export interface SentFragment {
  readonly key: FragmentKey
  readonly hash: string
  /** The fragment as JSON. */
  readonly text: string
}

/** As {@link SnapshotDelta}. */
export interface SentDelta extends Omit<SnapshotDelta, 'put'> {
  readonly put: readonly SentFragment[]
}

export function toSent(delta: SnapshotDelta): SentDelta {
  const put = delta.put.map(({ key, hash, fragment }) => ({ key, hash, text: JSON.stringify(fragment) }))
  return { ...delta, put }
}

/** The delta again. A text is parsed each time that its `fragment` is read, and not before: link reads it once, and only where it changed. */
export function fromSent(sent: SentDelta): SnapshotDelta {
  return { ...sent, put: sent.put.map(fromSentFragment) }
}

export function fromSentFragment(one: SentFragment): SnapshotDelta['put'][number] {
  return new Received(one)
}

class Received {
  readonly key: FragmentKey
  readonly hash: string
  readonly #text: string

  constructor({ key, hash, text }: SentFragment) {
    this.key = key
    this.hash = hash
    this.#text = text
  }

  get fragment(): Fragment {
    // Written by `toSent` in this process.
    return JSON.parse(this.#text) as Fragment
  }
}
