/**
 * A change that does not compile and link is refused with 422 inside its transaction. If a thread still cannot link a
 * fragment, the fragment fails closed and shows in `/readyz`.
 */
import type { FieldError } from '../../base/refusal.ts'
import type { Fragment } from '../fragments.ts'
import { COMPILE } from './kinds.ts'

/**
 * What keeps a fragment from being served, with pointers into the fragment; empty when every gateway thread can link it.
 * Run inside the transaction that would store it. Sealed secrets are not opened.
 */
export function checkFragment(fragment: Fragment): readonly FieldError[] {
  try {
    return COMPILE[fragment.kind].check(fragment as never)
  } catch (error) {
    return [{ pointer: '', reason: error instanceof Error ? error.message : 'cannot be served' }]
  }
}
