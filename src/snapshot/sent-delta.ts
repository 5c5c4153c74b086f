/**
 * A delta on its way from the store to the gateway threads: each fragment is JSON text. Text is copied from thread to thread in
 * one piece, where structured clone walks every object, and takes a fraction of the memory of the objects. The main thread passes
 * the text on as the store has it, and a gateway thread reads each text while it links it and keeps nothing of it.
 */
import {
  type FragmentKey,
  type FragmentKind,
  type Fragments,
  FragmentText,
  type SnapshotDelta,
  type TextDelta,
} from './fragments.ts'

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
