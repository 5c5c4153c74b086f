/** What waits for a decision and what expires, in words. */

import type { State } from '../../kit/status.tsx'
import { counted } from '../../schema/value.ts'

/** An item of `credentials.stale`. */
export interface Stale {
  readonly type: 'profile' | 'credential'
  /** Such as `acme:live`. */
  readonly ref: string
  readonly why: readonly ('due' | 'old' | 'expiring' | 'expired')[]
  readonly age_days: number | null
  readonly expires_at: string | null
}

export interface StaleWords {
  readonly state: State
  readonly label: string
  /** Before the time of the expiry, where there is one: `expires`, `expired`. */
  readonly verb: string | null
  readonly age: string | null
}

/** How a credential stands: the worst of its reasons first. */
export function staleWords({ why, age_days, expires_at }: Stale): StaleWords {
  const age = age_days === null ? null : `${counted(age_days, 'day')} old`
  const verb = expires_at === null ? null : why.includes('expired') ? 'expired' : 'expires'
  if (why.includes('expired')) return { state: 'bad', label: 'Expired', verb, age: null }
  if (why.includes('expiring')) return { state: 'warn', label: 'Expires soon', verb, age: null }
  if (why.includes('due')) return { state: 'warn', label: 'Rotation is due', verb: null, age }
  return { state: 'warn', label: 'Old', verb: null, age }
}

/** `3 items to decide`. */
export function driftWords({ undecided }: { readonly undecided: number }): string {
  return `${counted(undecided, 'item')} to decide`
}
