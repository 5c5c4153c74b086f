/** Checks fragments of large collections in an `apart` thread, because linking thousands of endpoints takes long. */
import { type FieldError, refuse } from '../../base/refusal.ts'
import { checkFragment } from '../../snapshot/compile/check.ts'
import type { CollectionFragment, Fragment } from '../../snapshot/fragments.ts'
import type { Job, RunApart } from './apart.ts'

/** Endpoints that the main thread links itself: a thread costs more than they do. */
const PROXIES_MAX = 500

/** {@link checkFragment} of a large collection. */
export const checkLarge: Job<CollectionFragment, FieldError[]> = {
  name: 'fragments.check',
  tooMuch: () =>
    refuse('configuration_invalid', {
      detail: 'The collection takes too much to compile. Split it into several smaller ones.',
    }),
  run: (fragment) => [...checkFragment(fragment)],
}

/** Judges a compiled fragment as gateway threads will. */
export type CheckFragment = (
  fragment: Fragment,
  apart: RunApart,
) => readonly FieldError[] | Promise<readonly FieldError[]>

/** What keeps a fragment from being served; see {@link checkFragment}. */
export const checkForChange: CheckFragment = async (fragment, apart) => {
  const isLarge = fragment.kind === 'collection' && fragment.proxies.length > PROXIES_MAX
  return isLarge ? apart(checkLarge, fragment) : checkFragment(fragment)
}
