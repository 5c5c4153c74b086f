import type { LimitKey } from '../find/limit-key.ts'
import type { LimitFragment, PolicyFragment } from '../fragments.ts'

export interface LinkedPolicy {
  readonly kind: 'policy'
  readonly id: string
  readonly fragment: PolicyFragment
  /** Empty when the policy is inactive. */
  readonly limits: readonly LinkedLimit[]
}

/**
 * How a limit counts: in a sliding window, by a bucket, per calendar period, in a sliding window that survives a restart, or
 * what is under way.
 */
export type Algorithm = 'rate' | 'bucket' | 'quota' | 'rolling' | 'concurrent'

export interface LinkedLimit {
  readonly fragment: LimitFragment
  readonly policy: PolicyFragment
  readonly key: LimitKey
  readonly algorithm: Algorithm
  readonly max: number
  readonly windowMs: number
  /** Width of one of the 60 slots of a sliding window, milliseconds. */
  readonly slotMs: number
  /** What the bucket holds; 0 without one. */
  readonly burst: number
  readonly cost: number
  readonly isObserved: boolean
  /** Of a calendar quota; null for UTC. */
  readonly timezone: string | null
  /** How long a call waits for a place; 0: not at all. */
  readonly waitMs: number
  /** Statuses that count; null for every admitted call. */
  readonly statuses: LimitFragment['count'] | null
  readonly by: 'attachment' | 'ip' | 'global' | 'tool' | 'user' | 'claim' | 'header'
  /** Of the claim or header, the latter in lower case. */
  readonly byName: string
  /** Item of the RateLimit-Policy field. */
  readonly policyItem: string
}
