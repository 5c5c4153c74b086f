/**
 * A delta on its way from the store to the gateway threads. Each fragment is JSON text, because threads copy a text in one
 * piece, while structured clone walks every object and takes far more memory. The main thread passes the text on as the store
 * has it. A gateway thread parses each text when it links the fragment, and keeps nothing of it.
 */
import type { Fragment, FragmentKey, FragmentKind, Fragments } from './fragments.ts'

/** What a thread gets: the fragments that changed since the revision it holds, or all of them. */
export interface SnapshotDelta {
  /** Revision of the whole configuration that holds once it is applied. */
  readonly revision: number
  /** Forget everything held before. */
  readonly full: boolean
  readonly put: readonly { readonly key: FragmentKey; readonly hash: string; readonly fragment: Fragment }[]
  readonly drop: readonly FragmentKey[]
}

/** The key under which a fragment is put, replaced and dropped. */
export function keyOf(fragment: Fragment): FragmentKey {
  return `${fragment.kind}:${fragment.id}`
}

/** A fragment as text that can be read as data. */
export class FragmentText {
  readonly key: FragmentKey
  /** Of the fragment as canonical JSON; of one with filled secrets, of what was filled in. */
  readonly hash: string
  /** The fragment as JSON. It has no line break, because JSON writes those in strings as escapes. */
  readonly text: string

  constructor(key: FragmentKey, hash: string, text: string) {
    this.key = key
    this.hash = hash
    this.text = text
  }

  /** Parsed anew each time that it is read. */
  get fragment(): Fragment {
    // A compiler of this program has written it; what comes from disk was compared with its hash.
    return JSON.parse(this.text) as Fragment
  }
}

/** A {@link SnapshotDelta} whose fragments are parsed when they are asked for, and not before. */
export interface TextDelta extends Omit<SnapshotDelta, 'put'> {
  readonly put: readonly FragmentText[]
}

/** As structured clone leaves a {@link FragmentText}. */
export type SentFragment = Pick<FragmentText, 'key' | 'hash' | 'text'>

/** As {@link SnapshotDelta}. */
export interface SentDelta extends Omit<SnapshotDelta, 'put'> {
  readonly put: readonly SentFragment[]
}

/** The delta again, in the thread that got it. */
export function fromSent(sent: SentDelta): TextDelta {
  return { ...sent, put: sent.put.map(({ key, hash, text }) => new FragmentText(key, hash, text)) }
}

/** Kinds of fragments with secrets that are read elsewhere, and so must be parsed on their way. */
type Referring = {
  [K in FragmentKind]: 'references' extends keyof Fragments[K] ? K : never
}[FragmentKind]

const REFERRING: Readonly<Record<Referring, true>> = { collection: true, credential: true }

/** Exactly the kinds whose type has `references`: another one is an error of types here. */
export const REFERRING_KINDS = Object.keys(REFERRING) as readonly Referring[]

/** Whether a fragment of that key may have references. The key begins with the kind. */
export function mayRefer(key: FragmentKey): boolean {
  return Object.hasOwn(REFERRING, key.slice(0, key.indexOf(':')))
}
