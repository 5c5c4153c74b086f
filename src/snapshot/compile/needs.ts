/** Marks restrictions that older linkers would ignore, so that these linkers close the fragment. */
import type { Fragment } from '../fragments.ts'

/** A restriction that older linkers would ignore. */
export interface Need<F extends Fragment = Fragment> {
  /** The form of fragments that has it, at most `FORM`. */
  readonly form: number
  /** Whether a fragment carries the restriction. */
  readonly when: (fragment: F) => boolean
}

/** A fragment that says which form its restrictions need; the fragment itself where all linkers know them. */
export function withNeeds<F extends Fragment>(fragment: F, rules: readonly Need<F>[] = []): F {
  const needs = Math.max(1, ...rules.filter(({ when }) => when(fragment)).map(({ form }) => form))
  return needs === 1 ? fragment : { ...fragment, needs }
}
